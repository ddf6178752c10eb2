// What may be the name of a room: 1 to 256 octets of UTF-8 without control characters (CONTRACT 4).
#pragma once

#include <cstddef>
#include <string_view>

namespace auth {

inline constexpr std::size_t room_name_octets_max = 256;

bool valid_room_name(std::string_view room);

}  // namespace auth
