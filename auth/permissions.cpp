#include "auth/permissions.h"

#include <algorithm>

namespace auth {
namespace {

using CaptureList = std::vector<std::pair<std::string_view, std::string_view>>;

// `captures` gets what the rule captured from the room.
const RoomRule* find_rule(std::span<const RoomRule> rules, std::string_view room,
                          CaptureList& captures) {
  for (const RoomRule& rule : rules) {
    if (rule.match.matches(room, captures)) return &rule;
  }
  return nullptr;
}

const Condition& condition_of(const RoomRule& rule, RoomAction action) {
  return action == RoomAction::Join ? rule.join : rule.publish;
}

}  // namespace

bool may(std::span<const RoomRule> rules, const Principal& principal, const RoomRequest& request,
         Captures path) {
  CaptureList captures;
  const RoomRule* rule = find_rule(rules, request.room, captures);
  if (rule == nullptr) return false;
  const Condition& condition = condition_of(*rule, request.action);
  if (captures.empty()) return holds(condition, principal, path, &request);
  // The first of a name is the one that counts.
  captures.insert(captures.end(), path.begin(), path.end());
  return holds(condition, principal, captures, &request);
}

LooksAt looks_at(std::span<const RoomRule> rules) {
  LooksAt most = LooksAt::Nothing;
  for (const RoomRule& rule : rules) {
    most = std::max({most, looks_at(rule.join), looks_at(rule.publish)});
  }
  return most;
}

RoomDecision decide(std::span<const RoomRule> rules, const Principal& principal,
                    const RoomRequest& request, Captures path) {
  RoomDecision decision;
  decision.rule = find_rule(rules, request.room, decision.captures);
  if (decision.rule == nullptr) return decision;
  decision.captures.insert(decision.captures.end(), path.begin(), path.end());
  const Condition& condition = condition_of(*decision.rule, request.action);
  decision.allowed = holds(condition, principal, decision.captures, &request);
  decision.condition = deciding(condition, principal, decision.captures, &request);
  return decision;
}

}  // namespace auth
