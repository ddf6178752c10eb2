// Reading JSON that decides about trust: one object, whole, in exactly one reading.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include <jansson.h>

namespace auth {

struct ReleaseJson {
  void operator()(json_t* value) const { json_decref(value); }
};
using OwnedJson = std::unique_ptr<json_t, ReleaseJson>;

// Compact; "null" where there is no memory for it.
std::string dump_json(const json_t* value);

enum class JsonError : std::uint8_t {
  Malformed,  // not one JSON object (RFC 8259) in UTF-8, a NUL in a string, a number out of range
  DuplicateName,  // the first or the last? (RFC 7519 section 4, RFC 8725 section 2.7)
  TooDeep,
};

inline constexpr std::size_t json_depth_max = 64;

std::expected<OwnedJson, JsonError> parse_json_object(std::string_view text);

// The string's octets; empty where the value is no string.
inline std::string_view string_of(const json_t* string) {
  return {json_string_value(string), json_string_length(string)};
}

}  // namespace auth
