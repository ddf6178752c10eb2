// The request target of an opening handshake (RFC 9112 section 3.2.1), read so that no backend can
// read it differently: origin-form only, and nothing that decoding would turn into other segments.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace proxy {

struct Target {
  std::string path;            // decoded once; routes are matched on this
  std::string_view raw_path;   // as it came: what is sent on. Views into the parsed target
  std::string_view raw_query;  // without '?'
  bool has_query = false;
};

// Ambiguous, in the path after decoding it once: a '.' or '..' segment, also one with a parameter
// ("..;x", which Tomcat reads as ".."); an empty segment but the last, also one with a parameter;
// '\', an encoded '/' or '?', '#', a control character, invalid UTF-8. Also a '%' that is followed
// by two hexadecimal digits again ("%252e"): a backend that decodes twice reads another path.
// As it came: a malformed percent-encoding, anything but visible ASCII, a '#' anywhere. What a
// query means is for the backend alone, so its percent-encodings are not read here.
enum class TargetError : std::uint8_t { NotOriginForm, Ambiguous };

std::expected<Target, TargetError> parse_target(std::string_view target);

}  // namespace proxy
