// A Log that writes to memory.
#pragma once

#include <array>
#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/log.h"

namespace tests {

class CapturedLog {
 public:
  explicit CapturedLog(gateway::LogLevel level = gateway::LogLevel::Debug,
                       gateway::LogFormat format = gateway::LogFormat::Json)
      : descriptor_(memfd_create("log", 0)) {
    assert(descriptor_ >= 0);
    log_.emplace(level, format, gateway::LogOutput{.descriptor = descriptor_});
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  ~CapturedLog() {
    log_.reset();  // its thread may be writing
    close(descriptor_);
  }

  gateway::Log& log() { return *log_; }

  // Octets that have been written.
  off_t size() const {
    struct stat status {};
    return fstat(descriptor_, &status) == 0 ? status.st_size : 0;
  }

  // Ends the log.
  std::string text() {
    log_.reset();
    std::string text;
    std::array<char, 4096> octets;
    ssize_t count = 0;
    while ((count = pread(descriptor_, octets.data(), octets.size(),
                          static_cast<off_t>(text.size()))) > 0) {
      text.append(octets.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

  // Ends the log. Without their line feeds, and without the time, which is the only thing in them
  // that no test knows.
  std::vector<std::string> lines() {
    const std::string all = text();
    std::vector<std::string> lines;
    std::string_view left = all;
    while (!left.empty()) {
      const std::size_t end = left.find('\n');
      assert(end != left.npos);
      lines.push_back(without_time(left.substr(0, end)));
      left.remove_prefix(end + 1);
    }
    return lines;
  }

 private:
  static std::string without_time(std::string_view line) {
    constexpr std::string_view before = R"({"time":"2026-01-02T03:04:05.678Z",)";
    if (line.starts_with(R"({"time":)")) return '{' + std::string(line.substr(before.size()));
    return std::string(line.substr(line.find(' ') + 1));
  }

  int descriptor_;
  std::optional<gateway::Log> log_;
};

}  // namespace tests
