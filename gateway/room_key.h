// What a room is called inside an instance: its channel in Redis without the prefix (CONTRACT
// section 7), so that rooms of different spaces never meet.
#pragma once

#include <string>
#include <string_view>

namespace gateway {

// `room:<room>`, or `space:<space>:room:<room>`. A space holds no ':' (CONTRACT section 2), so that
// two pairs never have one key, whatever a client calls its rooms.
std::string room_key(std::string_view space, std::string_view room);

// The room in such a key.
std::string_view room_in(std::string_view key);

}  // namespace gateway
