#include "gateway/room_key.h"

#include <cassert>

namespace gateway {
namespace {

constexpr std::string_view room_prefix = "room:";
constexpr std::string_view space_prefix = "space:";

}  // namespace

std::string room_key(std::string_view space, std::string_view room) {
  assert(!space.contains(':'));
  std::string key;
  key.reserve(space_prefix.size() + space.size() + 1 + room_prefix.size() + room.size());
  if (!space.empty()) {
    key += space_prefix;
    key += space;
    key += ':';
  }
  key += room_prefix;
  key += room;
  return key;
}

std::string_view room_in(std::string_view key) {
  if (key.starts_with(space_prefix)) key.remove_prefix(key.find(':', space_prefix.size()) + 1);
  assert(key.starts_with(room_prefix));
  return key.substr(room_prefix.size());
}

}  // namespace gateway
