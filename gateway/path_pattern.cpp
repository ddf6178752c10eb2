#include "gateway/path_pattern.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/format.h>

#include "auth/captures.h"
#include "gateway/utf8_text.h"

namespace gateway {

namespace {

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

bool has_percent_encoding(std::string_view text) {
  for (auto at = text.find('%'); at != text.npos; at = text.find('%', at + 1)) {
    if (at + 2 < text.size() && is_hex(text[at + 1]) && is_hex(text[at + 2])) {
      return true;
    }
  }
  return false;
}

// What no path of a request can have (proxy/target.h): a route with it would never be reached.
std::optional<std::string> unreachable(std::string_view text) {
  if (!text.starts_with('/')) {
    return "a path begins with '/'";
  }
  if (text.find_first_of("?#\\") != text.npos || has_control_characters(text)) {
    return "a path has no '?', '#', '\\' or control character";
  }
  if (has_percent_encoding(text)) {
    return "a path is matched after decoding: write the character itself, not its %-encoding";
  }
  return std::nullopt;
}

// Takes the segment up to the next '/', and that.
std::string_view take_segment(std::string_view& rest, bool& last) {
  auto end = rest.find('/');
  std::string_view segment = rest.substr(0, end);
  last = end == rest.npos;
  rest.remove_prefix(last ? rest.size() : end + 1);
  return segment;
}

}  // namespace

std::expected<PathPattern::Segment, std::string> PathPattern::parse_segment(std::string_view text) {
  if (text == "." || text == "..") {
    return std::unexpected("a path with a '.' or '..' segment is never reached");
  }
  if (text.find('*') != text.npos) {
    return std::unexpected("'*' may only be the whole last segment: /app/*");
  }
  if (text.find_first_of("{}") == text.npos) {
    return Segment{std::string(text), false};
  }
  if (!text.starts_with('{') || !text.ends_with('}') ||
      !auth::valid_capture_name(text.substr(1, text.size() - 2))) {
    return std::unexpected(
        "'{name}' must be a whole segment, its name of letters, digits and '_': /rooms/{room}");
  }
  return Segment{std::string(text.substr(1, text.size() - 2)), true};
}

std::expected<PathPattern, std::string> PathPattern::parse(std::string_view text) {
  if (text.size() > octets_max) {
    return std::unexpected(fmt::format("a path has at most {} octets", octets_max));
  }
  if (auto reason = unreachable(text)) {
    return std::unexpected(*std::move(reason));
  }
  PathPattern pattern;
  pattern.text_ = text;
  std::string_view rest = text.substr(1);
  for (bool last = false; !last;) {
    std::string_view piece = take_segment(rest, last);
    if (last && piece == "*") {
      pattern.prefix_ = true;
      break;
    }
    if (piece.empty() && !last) {
      return std::unexpected("a path with an empty segment ('//') is never reached");
    }
    auto segment = parse_segment(piece);
    if (!segment) {
      return std::unexpected(segment.error());
    }
    pattern.segments_.push_back(*std::move(segment));
  }
  auto names = pattern.capture_names();
  if (names.size() > captures_max) {
    return std::unexpected(fmt::format("a path has at most {} captures", captures_max));
  }
  std::sort(names.begin(), names.end());
  if (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    return std::unexpected(fmt::format("'{{{}}}' stands twice in the path", *twice));
  }
  return pattern;
}

bool PathPattern::matches(
    std::string_view path,
    std::vector<std::pair<std::string_view, std::string_view>>& captures) const {
  if (!path.starts_with('/')) {
    return false;
  }
  const std::size_t before = captures.size();
  std::string_view rest = path.substr(1);
  bool last = false;
  for (const Segment& segment : segments_) {
    std::string_view piece;
    bool there = !last;
    if (there) piece = take_segment(rest, last);
    if (!there || (segment.capture ? piece.empty() : piece != segment.text)) {
      captures.resize(before);
      return false;
    }
    if (segment.capture) captures.emplace_back(segment.text, piece);
  }
  // An exact pattern ends with the path; a prefix has at least one segment more, which may be
  // empty.
  if (last == prefix_) {
    captures.resize(before);
    return false;
  }
  return true;
}

bool PathPattern::covers(const PathPattern& other) const {
  if (!prefix_ && (other.prefix_ || other.segments_.size() != segments_.size())) {
    return false;
  }
  std::size_t rest = other.segments_.size() + (other.prefix_ ? 1 : 0);
  if (prefix_ && rest <= segments_.size()) {
    return false;
  }
  return std::equal(segments_.begin(), segments_.end(), other.segments_.begin(),
                    [](const Segment& ours, const Segment& theirs) {
                      if (ours.capture) return theirs.capture || !theirs.text.empty();
                      return !theirs.capture && ours.text == theirs.text;
                    });
}

std::vector<std::string_view> PathPattern::capture_names() const {
  std::vector<std::string_view> names;
  for (const Segment& segment : segments_) {
    if (segment.capture) names.push_back(segment.text);
  }
  return names;
}

}  // namespace gateway
