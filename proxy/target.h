// The request target of an opening handshake (RFC 9112 section 3.2.1), read so that no backend can
// read it differently: origin-form only, and nothing that decoding would turn into other segments.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace proxy {

struct Target {
  std::string path;   // decoded once; routes are matched on this
  std::string_view raw_path;   // as it came: what is sent on. Views into the parsed target
  std::string_view raw_query;  // without '?'
  bool has_query = false;
};

// Not: another form, a '.' or '..' segment after decoding once, an empty segment but the last, '\',
// an encoded '/' or '\', NUL, a control character, '#', a malformed percent-encoding, invalid UTF-8.
enum class TargetError { NotOriginForm, Ambiguous };

std::expected<Target, TargetError> parse_target(std::string_view target);

}  // namespace proxy
