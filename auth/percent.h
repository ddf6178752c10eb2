// Percent-encoding (RFC 3986 section 2.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace auth {

enum class Plus : bool { IsItself, IsSpace };  // application/x-www-form-urlencoded: a space

// Nothing where a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, Plus plus);

}  // namespace auth
