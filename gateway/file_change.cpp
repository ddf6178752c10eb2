#include "gateway/file_change.h"

#include <utility>

#include <sys/stat.h>

namespace gateway {

std::optional<FileMark> mark_of(const std::string& file) {
  struct stat found {};
  if (stat(file.c_str(), &found) != 0) return std::nullopt;
  constexpr std::int64_t nanoseconds = 1'000'000'000;
  return FileMark{found.st_dev, found.st_ino, static_cast<std::uint64_t>(found.st_size),
                  found.st_mtim.tv_sec * nanoseconds + found.st_mtim.tv_nsec};
}

bool FileChange::look(std::optional<FileMark> mark) {
  const bool rests = std::exchange(seen_, mark) == mark;
  return rests && mark != read_;
}

}  // namespace gateway
