// The rule that decides on a room, remembered for the next who asks about the same one: where
// another policy comes into force all members of a room do, one after the other.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "auth/permissions.h"

namespace auth {

class RuleOfRoom {
 public:
  RuleOfRoom() = default;
  RuleOfRoom(const RuleOfRoom&) = delete;
  RuleOfRoom& operator=(const RuleOfRoom&) = delete;

  // As the function of that name.
  bool may(std::span<const RoomRule> rules, const Principal& principal, const RoomRequest& request,
           Captures path);

  // Rules that were asked about are gone, and others may be where they were.
  void forget() { rules_ = {}; }

 private:
  std::span<const RoomRule> rules_;
  std::string room_;
  const RoomRule* rule_ = nullptr;  // null: none decides
  RoomCaptures captures_;           // views of room_ and the rule
};

}  // namespace auth
