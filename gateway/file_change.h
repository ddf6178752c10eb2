// Whether a file is another one than it was when it was last read (CONTRACT section 2, `watch`). A
// file that is being written is left alone until it has been the same for two looks in a row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gateway {

// What differs where a file was written or another one stands in its place.
struct FileMark {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t octets = 0;
  std::int64_t modified_ns = 0;  // Unix time

  bool operator==(const FileMark&) const = default;
};

// Of what stands at the end of all symbolic links, which is how a mounted ConfigMap changes. None:
// there is no such file, or it may not be seen.
std::optional<FileMark> mark_of(const std::string& file);

class FileChange {
 public:
  // It is read now, or was.
  void read(std::optional<FileMark> mark) { read_ = seen_ = mark; }

  // True once for each change: it is to be read, and read() is to say so.
  bool look(std::optional<FileMark> mark);

 private:
  std::optional<FileMark> read_;
  std::optional<FileMark> seen_;
};

}  // namespace gateway
