#include "proxy/cache_control.h"

#include <algorithm>

#include "proxy/http.h"

namespace proxy {
namespace {

using std::chrono::seconds;

// delta-seconds; none: it is no such thing.
std::optional<seconds> parse_delta(std::string_view text) {
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || !digits) return std::nullopt;
  seconds delta{0};
  for (const char digit : text) delta = std::min(delta * 10 + seconds(digit - '0'), freshness_max);
  return delta;
}

// The first directive with what stands behind its '='. A comma in a quoted string ends none.
std::string_view take_directive(std::string_view& rest) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < rest.size() && (quoted || rest[end] != ','); ++end) {
    if (rest[end] == '"') quoted = !quoted;
  }
  const auto directive = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return trimmed(directive);
}

// RFC 9111 section 5.2: both forms of an argument are to be understood.
std::string_view unquoted(std::string_view argument) {
  const bool quoted = argument.size() >= 2 && argument.front() == '"' && argument.back() == '"';
  return quoted ? argument.substr(1, argument.size() - 2) : argument;
}

}  // namespace

std::optional<seconds> fresh_for(std::string_view cache_control, std::string_view age) {
  std::optional<seconds> freshness;
  while (!cache_control.empty()) {
    const auto directive = take_directive(cache_control);
    const auto name = directive.substr(0, directive.find('='));
    if (equals_ignoring_case(name, "no-store") || equals_ignoring_case(name, "no-cache")) {
      return seconds(0);
    }
    if (!equals_ignoring_case(name, "max-age")) continue;
    // Section 4.2.1: of two, and of what cannot be read, the one that is fresh for less.
    const auto argument = directive.substr(std::min(name.size() + 1, directive.size()));
    const auto said = parse_delta(unquoted(argument)).value_or(seconds(0));
    freshness = freshness ? std::min(*freshness, said) : said;
  }
  if (!freshness) return std::nullopt;
  return std::max(seconds(0), *freshness - parse_delta(trimmed(age)).value_or(seconds(0)));
}

}  // namespace proxy
