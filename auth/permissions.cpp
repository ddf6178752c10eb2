#include "auth/permissions.h"

#include <algorithm>

namespace auth {
namespace {

const Condition& condition_of(const RoomRule& rule, RoomAction action) {
  return action == RoomAction::Join ? rule.join : rule.publish;
}

}  // namespace

const RoomRule* find_rule(std::span<const RoomRule> rules, std::string_view room,
                          RoomCaptures& captures) {
  for (const RoomRule& rule : rules) {
    if (rule.match.matches(room, captures)) return &rule;
  }
  return nullptr;
}

bool may(std::span<const RoomRule> rules, const Principal& principal, const RoomRequest& request,
         Captures path) {
  RoomCaptures captures;
  const RoomRule* rule = find_rule(rules, request.room, captures);
  return may(rule, captures, principal, request, path);
}

bool may(const RoomRule* rule, const RoomCaptures& captures, const Principal& principal,
         const RoomRequest& request, Captures path) {
  if (rule == nullptr) return false;
  const Condition& condition = condition_of(*rule, request.action);
  if (captures.empty()) return holds(condition, principal, path, &request);
  // The first of a name is the one that counts.
  RoomCaptures all = captures;
  all.insert(all.end(), path.begin(), path.end());
  return holds(condition, principal, all, &request);
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
