// base64url without padding (RFC 7515 section 2), strictly: every octet string has exactly one
// text, so that no two texts are the same token.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace auth {

std::string base64url_encode(std::string_view octets);

// Nothing for padding, another alphabet, white space, or unused bits that are not zero.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace auth
