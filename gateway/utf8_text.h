// Text that somebody else wrote: whether it is UTF-8, and a form of it that a terminal and a log
// line can bear.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gateway {

inline constexpr std::size_t printable_octets_max = 80;

// How many octets at the front are whole, valid UTF-8 sequences (RFC 3629 section 4).
std::size_t valid_utf8_prefix(std::string_view text);

bool has_control_characters(std::string_view text);  // C0 and DEL

// Control characters and octets that are not UTF-8 as \xNN; what is longer than
// printable_octets_max ends in "…".
std::string printable(std::string_view text);

}  // namespace gateway
