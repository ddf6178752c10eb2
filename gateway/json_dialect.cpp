#include "gateway/json_dialect.h"

#include <charconv>

#include <fmt/format.h>

namespace gateway {
namespace {

// RFC 6901 section 3: "~1" is '/', "~0" is '~', and '~' before anything else is an error.
std::optional<std::string> unescape(std::string_view segment) {
  std::string name;
  name.reserve(segment.size());
  for (std::size_t at = 0; at < segment.size(); ++at) {
    if (segment[at] != '~') {
      name.push_back(segment[at]);
    } else if (++at < segment.size() && (segment[at] == '0' || segment[at] == '1')) {
      name.push_back(segment[at] == '0' ? '~' : '/');
    } else {
      return std::nullopt;
    }
  }
  return name;
}

// RFC 6901 section 4: decimal digits without a leading zero. "-", the element after the last one,
// is never there.
std::optional<std::size_t> parse_index(std::string_view name) {
  if (name.size() > 1 && name.front() == '0') return std::nullopt;
  std::size_t index = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return index;
}

}  // namespace

std::expected<JsonPath, std::string> parse_json_path(std::string_view text) {
  if (text.size() > JsonPath::octets_max) {
    return std::unexpected(
        fmt::format("a JSON Pointer has at most {} octets", JsonPath::octets_max));
  }
  if (text.empty() || text.front() != '/') {
    return std::unexpected("a JSON Pointer begins with '/'");
  }
  JsonPath path;
  while (!text.empty()) {
    text.remove_prefix(1);
    if (path.segments.size() == JsonPath::segments_max) {
      return std::unexpected(
          fmt::format("a JSON Pointer has at most {} segments", JsonPath::segments_max));
    }
    const std::string_view segment = text.substr(0, text.find('/'));
    text.remove_prefix(segment.size());
    auto name = unescape(segment);
    if (!name) return std::unexpected("in a JSON Pointer, '~' is written \"~0\" and '/' \"~1\"");
    const auto index = parse_index(*name);
    path.segments.push_back({std::move(*name), index});
  }
  return path;
}

}  // namespace gateway
