// The path of a route: exact, a prefix that ends in "/*", and "{name}" for one segment.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gateway {

class PathPattern {
 public:
  static constexpr std::size_t captures_max = 8;
  static constexpr std::size_t octets_max = 1024;

  // The error is a sentence for the operator.
  static std::expected<PathPattern, std::string> parse(std::string_view text);

  // Case-sensitive, in time linear in the path. Appends what was captured; views into `path` and
  // into this pattern. "/app/*" fits whatever begins with "/app/", not "/app" itself; a capture
  // takes a whole segment that is not empty.
  bool matches(std::string_view path,
               std::vector<std::pair<std::string_view, std::string_view>>& captures) const;

  // Does it fit every path that `other` fits? Then `other` behind it is never reached.
  bool covers(const PathPattern& other) const;

  std::vector<std::string_view> capture_names() const;
  const std::string& text() const { return text_; }

 private:
  struct Segment {
    std::string text;  // literal, or the capture's name
    bool capture = false;
  };
  static std::expected<Segment, std::string> parse_segment(std::string_view text);

  std::string text_;
  std::vector<Segment> segments_;
  bool prefix_ = false;
};

}  // namespace gateway
