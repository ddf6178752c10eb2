// Another protocol's JSON messages, read in place (`messages: { json: … }`, CONTRACT section 4):
// where the action and the room are, and which actions mean what.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gateway {

// A JSON Pointer (RFC 6901) to a value inside a document. The root is not one.
struct JsonPath {
  static constexpr std::size_t segments_max = 8;
  static constexpr std::size_t octets_max = 256;

  struct Segment {
    std::string name;                  // unescaped: the member of an object
    std::optional<std::size_t> index;  // the element of an array, where the name can be one
  };
  std::vector<Segment> segments;
};

// "/op", "/data/0/a~1b". The error is a sentence for the operator.
std::expected<JsonPath, std::string> parse_json_path(std::string_view text);

struct JsonDialect {
  JsonPath action;
  JsonPath room;
  // Values of the action, compared octet by octet; none is in two lists.
  std::vector<std::string> join;
  std::vector<std::string> leave;
  std::vector<std::string> publish;
  bool other_passes = false;
  bool close_on_denied = false;  // `on_denied: close` (1008); else a denied message is dropped
};

}  // namespace gateway
