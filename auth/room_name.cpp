#include "auth/room_name.h"

#include "auth/utf8.h"

namespace auth {

bool valid_room_name(std::string_view room) {
  return !room.empty() && room.size() <= room_name_octets_max && utf8_without_controls(room);
}

}  // namespace auth
