#include "auth/rule_of_room.h"

namespace auth {

bool RuleOfRoom::may(std::span<const RoomRule> rules, const Principal& principal,
                     const RoomRequest& request, Captures path) {
  const bool same = rules_.data() == rules.data() && rules_.size() == rules.size();
  if (rules.empty()) return false;
  if (!same || room_ != request.room) {
    rules_ = rules;
    room_ = request.room;
    captures_.clear();
    rule_ = find_rule(rules, room_, captures_);
  }
  return auth::may(rule_, captures_, principal, request, path);
}

}  // namespace auth
