// The process log: lines go through a bounded queue to a thread of their own, which writes them. A
// loop that writes a line never waits for the disk, the terminal or the pipe behind it: where they
// cannot keep up, the oldest lines that wait are lost, and a line of their own says how many.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include <unistd.h>

#include "gateway/log_line.h"

namespace gateway {

// Lines that may wait. Each is some 300 octets, and at most log_value_octets_max for each string.
inline constexpr std::size_t log_queue_lines_max = 4096;

struct LogOutput {
  int descriptor = STDOUT_FILENO;
  // How long the end of the process waits for one that takes no more.
  std::chrono::milliseconds flush_timeout{1'000};
};

class Log {
 public:
  Log(LogLevel level, LogFormat format, LogOutput output = {});
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();  // writes what waits. Nobody may write any more

  bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }

  // From any thread: for lines from then on.
  void set(LogLevel level, LogFormat format);

  // From any thread. Names and `event` are words of ours; values may be anything.
  void write(LogLevel level, std::string_view event, std::span<const LogField> fields);
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(level, event, std::span(fields.begin(), fields.size()));
  }

  // From any thread: lines that were not written, since there was no room for them or the output
  // did not take them.
  std::uint64_t lines_lost() const;

 private:
  class Writer;

  std::atomic<LogLevel> level_;
  std::atomic<LogFormat> format_;
  const std::unique_ptr<Writer> writer_;
};

}  // namespace gateway
