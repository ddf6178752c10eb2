// Who may do what in which room (CONTRACT 2, `rooms`): the first rule that matches decides, and
// where none does the answer is no.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/captures.h"
#include "auth/condition.h"
#include "auth/principal.h"
#include "auth/room_pattern.h"
#include "auth/room_request.h"

namespace auth {

struct RoomRule {
  RoomPattern match;
  Condition join;  // nobody, unless the policy says who
  Condition publish;
  int line = 0;  // where the policy says so; 0: nowhere
};

// What a room captures, by name: views into the room and the rule.
using RoomCaptures = std::vector<std::pair<std::string_view, std::string_view>>;

// The rule that decides on a room; null: none does. Appends what it captures.
const RoomRule* find_rule(std::span<const RoomRule> rules, std::string_view room,
                          RoomCaptures& captures);

// Asked for each message. `path`: what the route's path captured; a room's capture of the same name
// is meant where there is one. Allocates only where a room is captured from.
bool may(std::span<const RoomRule> rules, const Principal& principal, const RoomRequest& request,
         Captures path = {});

// The same where find_rule() has been asked already; `captures` are of it.
bool may(const RoomRule* rule, const RoomCaptures& captures, const Principal& principal,
         const RoomRequest& request, Captures path = {});

// The most that any answer to may() may depend on.
LooksAt looks_at(std::span<const RoomRule> rules);

struct RoomDecision {
  bool allowed = false;
  const RoomRule* rule = nullptr;        // null: none matched
  const Condition* condition = nullptr;  // the innermost that decided (deciding()); null: no rule
  // What {name} stood for in the condition, room first: views into the request, the rule and
  // `path`.
  std::vector<std::pair<std::string_view, std::string_view>> captures;
};

// The same answer with its reasons, for whoever asks why.
RoomDecision decide(std::span<const RoomRule> rules, const Principal& principal,
                    const RoomRequest& request, Captures path = {});

}  // namespace auth
