// One line of the process log, as octets: what an event looks like in JSON and in text. Pure: the
// time is told. Writing the line is log.h's.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace gateway {

enum class LogLevel : std::uint8_t { Debug, Info, Warn, Error };
enum class LogFormat : std::uint8_t { Json, Text };

using LogTime = std::chrono::sys_time<std::chrono::milliseconds>;

// What a string value may take in a line, escaped; it is cut there and ends in "…". So a client
// decides neither how long a line becomes nor how much the lines that wait for the disk hold.
inline constexpr std::size_t log_value_octets_max = 1024;

// The value may be anything that a peer sent; the name is a word of ours.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;

  LogField(std::string_view name, std::string_view value) : name(name), value(value) {}
  LogField(std::string_view name, const char* value) : name(name), value(std::string_view(value)) {}
  LogField(std::string_view name, const std::string& value)
      : name(name), value(std::string_view(value)) {}
  LogField(std::string_view name, std::same_as<bool> auto value) : name(name), value(value) {}
  LogField(std::string_view name, std::signed_integral auto value)
      : name(name), value(std::int64_t{value}) {}
  LogField(std::string_view name,
           std::unsigned_integral auto value) requires(!std::same_as<decltype(value), bool>)
      : name(name), value(std::uint64_t{value}) {}
  LogField(std::string_view name, std::floating_point auto value)
      : name(name), value(double{value}) {}
};

// Appends the line with its line feed. JSON: {"time":"2026-01-02T03:04:05.678Z","level":"info",
// "event":"connection_opened","subject":"alice","worker":0}. Text: the same without punctuation,
// 2026-01-02T03:04:05.678Z info connection_opened subject="alice" worker=0.
// In both, a string is escaped as JSON, and further so that nothing in it acts on a terminal or
// ends the line: DEL, C1 controls, U+2028, U+2029 and bidirectional controls too; what is not UTF-8
// becomes U+FFFD. A number that is not finite is null. A string that is empty says nothing: its
// field is left out.
void append_log_line(std::string& line, LogFormat format, LogTime time, LogLevel level,
                     std::string_view event, std::span<const LogField> fields);

}  // namespace gateway
