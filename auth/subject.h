// What may be a subject: 1 to 256 octets of UTF-8 without control characters.
#pragma once

#include <string_view>

namespace auth {

inline constexpr std::size_t subject_octets_max = 256;

// Subjects that begin so are guests: no token may claim to be one.
inline constexpr std::string_view anonymous_subject_prefix = "anonymous:";

bool valid_subject(std::string_view subject);

}  // namespace auth
