// What a room is called inside an instance: its channel in Redis without the prefix (CONTRACT
// section 7), so that rooms of different spaces never meet.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gateway {

inline constexpr std::size_t room_space_octets_max = 64;

// [a-z0-9-], at most room_space_octets_max; empty: the space that has no name.
bool valid_room_space(std::string_view space);

// `room:<room>`, or `space:<space>:room:<room>`. A space holds no ':' (CONTRACT section 2), so that
// two pairs never have one key, whatever a client calls its rooms.
std::string room_key(std::string_view space, std::string_view room);

// The two in such a key.
std::string_view room_in(std::string_view key);
std::string_view space_in(std::string_view key);

}  // namespace gateway
