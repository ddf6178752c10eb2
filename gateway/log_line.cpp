#include "gateway/log_line.h"

#include <array>
#include <charconv>
#include <cmath>

namespace gateway {
namespace {

constexpr std::string_view ellipsis = "…";
constexpr std::string_view replacement = "\uFFFD";

// Octets that stand for themselves: printable ASCII but '"' and '\'.
constexpr std::array<bool, 256> plain = [] {
  std::array<bool, 256> table{};
  for (int octet = 0x20; octet < 0x7f; ++octet) table[octet] = octet != '"' && octet != '\\';
  return table;
}();

std::size_t plain_octets(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && plain[static_cast<unsigned char>(text[count])]) ++count;
  return count;
}

// The first code point of a text, and how many octets it took. Not valid: the octets are the
// longest beginning of a sequence that might have been (Unicode 15, section 3.9, "maximal
// subpart"), so that one broken character is one U+FFFD.
struct CodePoint {
  char32_t value = 0;
  std::size_t octets = 1;
  bool valid = false;
};

// RFC 3629 section 4: neither overlong forms nor surrogates nor anything over U+10FFFF. All of it
// shows in the first two octets.
CodePoint decode(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xc2 || lead > 0xf4) return {};
  const std::size_t octets = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const unsigned char second_min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char second_max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;

  CodePoint point{.value = lead & (0x7fU >> octets), .octets = 1, .valid = false};
  for (; point.octets < octets; ++point.octets) {
    if (point.octets == text.size()) return point;
    const unsigned char octet = at(point.octets);
    const bool second = point.octets == 1;
    if (octet < (second ? second_min : 0x80) || octet > (second ? second_max : 0xbf)) return point;
    point.value = point.value << 6 | (octet & 0x3fU);
  }
  point.valid = true;
  return point;
}

// What a terminal or a viewer acts upon instead of showing it.
bool acts(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) ||  // C0, DEL, C1
         point == 0x2028 || point == 0x2029 ||                // line ends in JavaScript
         point == 0x061c || point == 0x200e || point == 0x200f ||
         (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||  // bidi
         point == 0xfeff;
}

// The octets that stand in a line for one code point that is not plain.
struct Escaped {
  std::array<char, 6> octets{};
  std::size_t size = 0;

  explicit Escaped(std::string_view text) {
    for (const char octet : text) octets[size++] = octet;
  }
  std::string_view text() const { return {octets.data(), size}; }
};

Escaped escape_unit(char32_t point) {
  constexpr std::string_view digits = "0123456789abcdef";
  const std::array<char, 6> octets{'\\',
                                   'u',
                                   digits[point >> 12 & 0xf],
                                   digits[point >> 8 & 0xf],
                                   digits[point >> 4 & 0xf],
                                   digits[point & 0xf]};
  return Escaped({octets.data(), octets.size()});
}

// RFC 8259 section 7. `octets`: the code point as it came.
Escaped escape(const CodePoint& point, std::string_view octets) {
  if (!point.valid) return Escaped(replacement);
  switch (point.value) {
    case '"':
      return Escaped("\\\"");
    case '\\':
      return Escaped("\\\\");
    case '\n':
      return Escaped("\\n");
    case '\r':
      return Escaped("\\r");
    case '\t':
      return Escaped("\\t");
    default:
      return acts(point.value) ? escape_unit(point.value) : Escaped(octets);
  }
}

void append_string(std::string& line, std::string_view value) {
  line += '"';
  const std::size_t size_max = line.size() + log_value_octets_max;
  while (!value.empty()) {
    const std::size_t run = std::min(plain_octets(value), size_max - line.size());
    line.append(value.substr(0, run));
    value.remove_prefix(run);
    if (value.empty()) break;

    const CodePoint point = decode(value);
    const Escaped escaped = escape(point, value.substr(0, point.octets));
    if (line.size() + escaped.size > size_max) {
      line += ellipsis;
      break;
    }
    line += escaped.text();
    value.remove_prefix(point.octets);
  }
  line += '"';
}

void append_number(std::string& line, auto value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  line.append(digits.data(), end);
}

bool empty(const LogField& field) {
  const auto* text = std::get_if<std::string_view>(&field.value);
  return text && text->empty();
}

struct AppendValue {
  std::string& line;

  void operator()(std::string_view value) const { append_string(line, value); }
  void operator()(bool value) const { line += value ? "true" : "false"; }
  void operator()(std::int64_t value) const { append_number(line, value); }
  void operator()(std::uint64_t value) const { append_number(line, value); }
  void operator()(double value) const {
    // RFC 8259 section 6: JSON has neither infinities nor NaN.
    if (!std::isfinite(value)) {
      line += "null";
    } else {
      append_number(line, value);
    }
  }
};

// Exactly `width` digits.
template <std::size_t width>
void append_digits(std::string& line, unsigned value) {
  std::array<char, width> digits;
  for (std::size_t i = width; i-- > 0; value /= 10) {
    digits[i] = static_cast<char>('0' + value % 10);
  }
  line.append(digits.data(), width);
}

// RFC 3339 section 5.6, in UTC.
void append_time(std::string& line, LogTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  append_digits<4>(line, static_cast<unsigned>(static_cast<int>(date.year())));
  line += '-';
  append_digits<2>(line, static_cast<unsigned>(date.month()));
  line += '-';
  append_digits<2>(line, static_cast<unsigned>(date.day()));
  line += 'T';
  append_digits<2>(line, static_cast<unsigned>(clock.hours().count()));
  line += ':';
  append_digits<2>(line, static_cast<unsigned>(clock.minutes().count()));
  line += ':';
  append_digits<2>(line, static_cast<unsigned>(clock.seconds().count()));
  line += '.';
  append_digits<3>(line, static_cast<unsigned>(clock.subseconds().count()));
  line += 'Z';
}

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return "debug";
    case LogLevel::Info:
      return "info";
    case LogLevel::Warn:
      return "warn";
    case LogLevel::Error:
      return "error";
  }
  return "error";
}

void append_json(std::string& line, LogTime time, LogLevel level, std::string_view event,
                 std::span<const LogField> fields) {
  line += R"({"time":")";
  append_time(line, time);
  line += R"(","level":")";
  line += name_of(level);
  line += R"(","event":")";
  line += event;
  line += '"';
  for (const LogField& field : fields) {
    if (empty(field)) continue;
    line += ",\"";
    line += field.name;
    line += "\":";
    std::visit(AppendValue{line}, field.value);
  }
  line += "}\n";
}

void append_text(std::string& line, LogTime time, LogLevel level, std::string_view event,
                 std::span<const LogField> fields) {
  append_time(line, time);
  line += ' ';
  line += name_of(level);
  line += ' ';
  line += event;
  for (const LogField& field : fields) {
    if (empty(field)) continue;
    line += ' ';
    line += field.name;
    line += '=';
    std::visit(AppendValue{line}, field.value);
  }
  line += '\n';
}

}  // namespace

void append_log_line(std::string& line, LogFormat format, LogTime time, LogLevel level,
                     std::string_view event, std::span<const LogField> fields) {
  if (format == LogFormat::Json) {
    append_json(line, time, level, event, fields);
  } else {
    append_text(line, time, level, event, fields);
  }
}

}  // namespace gateway
