#include "gateway/file_text.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gateway {

namespace {

std::unexpected<std::string> system_says() {
  return std::unexpected(std::generic_category().message(errno));
}

std::expected<std::string, std::string> read_all(int descriptor, std::size_t octets_max) {
  std::string text;
  char piece[16 * 1024];
  while (true) {
    ssize_t count = read(descriptor, piece, sizeof piece);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return system_says();
    }
    if (count == 0) {
      return text;
    }
    text.append(piece, static_cast<std::size_t>(count));
    if (text.size() > octets_max) {
      return std::unexpected(fmt::format("larger than {} KiB", octets_max / 1024));
    }
  }
}

}  // namespace

std::expected<std::string, std::string> read_file(const std::string& path, std::size_t octets_max) {
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return system_says();
  }
  auto text = read_all(descriptor, octets_max);
  close(descriptor);
  return text;
}

std::expected<std::string, std::string> read_standard_input(std::size_t octets_max) {
  return read_all(STDIN_FILENO, octets_max);
}

}  // namespace gateway
