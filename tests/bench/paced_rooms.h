// Many rooms of a few members each, in which something is said at a fixed rate: how long what is
// said takes while something else goes on.
#pragma once

#include <cstdint>

#include "tests/bench/rooms.h"

namespace tests::bench {

struct PacedRoomsSettings {
  RoomSettings rooms;       // its clients are the members, each of one room, in turn
  std::uint32_t count = 1;  // of rooms
};

// The name of a room, as it stands in the policy that is measured.
std::string paced_room_name(std::uint32_t room);

// `messages_per_second` publications, to one room after the other, each by the room's first member.
// What is counted are deliveries; a latency counts from when its publication was due. Says on
// standard output when all have joined and the measurement begins.
RunOutcome run_paced_rooms(const PacedRoomsSettings& settings);

}  // namespace tests::bench
