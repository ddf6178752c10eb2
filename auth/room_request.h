// What a room's conditions are asked: may this principal do this there?
#pragma once

#include <cstdint>
#include <string_view>

namespace auth {

enum class RoomAction : std::uint8_t { Join, Publish };

struct RoomRequest {
  std::string_view room;
  RoomAction action = RoomAction::Join;
};

}  // namespace auth
