#include "gateway/room_key.h"

#include <algorithm>
#include <cassert>

namespace gateway {
namespace {

constexpr std::string_view room_prefix = "room:";
constexpr std::string_view space_prefix = "space:";

}  // namespace

bool valid_room_space(std::string_view space) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return space.size() <= room_space_octets_max && std::ranges::all_of(space, fits);
}

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

std::string_view space_in(std::string_view key) {
  if (!key.starts_with(space_prefix)) return {};
  key.remove_prefix(space_prefix.size());
  return key.substr(0, key.find(':'));
}

}  // namespace gateway
