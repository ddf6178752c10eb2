// Where the values of a JSON object are in its text: as they were written, octet for octet, for
// which simdjson's DOM has no place. Goes through the object together with a parser that has
// accepted it, and takes from it what it knows. That the two do not agree is a fault of ours, and
// asserted.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace gateway {

class RawMembers {
 public:
  static constexpr std::size_t padding_octets = 16;  // readable behind the text, whatever they hold

  // One object, valid JSON (RFC 8259), with or without white space around it.
  explicit RawMembers(std::string_view object);

  struct Member {
    std::size_t name_octets;                   // decoded
    std::optional<std::size_t> string_octets;  // of the value, decoded; none: it is no string
    bool last;                                 // there is no member behind it
  };
  // The text of the next member's value, without the white space around it.
  std::string_view next(const Member& member);

 private:
  const char* past_value(const char* at, const Member& member) const;

  const char* at_;   // before the next member, or the comma before that
  const char* end_;  // the brace that ends the object
};

// How deep arrays and objects are inside of one another in a valid text; an outermost one is 1.
std::size_t json_depth(std::string_view text);

}  // namespace gateway
