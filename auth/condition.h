// Conditions: may this principal? A tree of everyone, nobody, subjects, claim tests, capabilities
// and all/any/not. Comparison is exact and typed; a missing claim matches nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "auth/captures.h"
#include "auth/principal.h"
#include "auth/room_request.h"
#include "auth/scalar.h"

namespace auth {

struct Condition {
  enum class Kind : std::uint8_t {
    Everyone,
    Nobody,
    Subjects,    // `subjects` contains the subject
    Equals,      // `claim` is the scalar values[0]
    In,          // `claim` is one of `values`
    Contains,    // `claim` is an array with values[0] in it, or a string with it as a word
    Capability,  // `claim` lists patterns, one of which fits the room (where none is asked: false)
    All,
    Any,
    Not,
  };

  Kind kind = Kind::Nobody;
  std::vector<std::string> subjects;  // may contain {name}
  std::string claim;                  // exact name, or a JSON Pointer; "sub" is the subject
  std::vector<Scalar> values;         // strings may contain {name}
  std::vector<Condition> children;
  int line = 0;  // where the policy says so; 0: nowhere
};

// A capability's claim is a list, of which the first capability_entries_max count. Each is a
// pattern (capability_pattern_fits()), which grants both actions, or {"room": pattern, "allow":
// ["join", "publish"]}, which grants those of the first capability_actions_max that it names. An
// entry of another shape grants nothing: a member that is not known might be a restriction.
inline constexpr std::size_t capability_entries_max = 100;
inline constexpr std::size_t capability_actions_max = 8;

// `room`: what is asked about; null at the handshake, where a capability never holds.
bool holds(const Condition& condition, const Principal& principal, Captures captures = {},
           const RoomRequest* room = nullptr);

// How much of a principal an answer may depend on, so that no more is kept. More is greater.
enum class LooksAt : std::uint8_t { Nothing, Subject, Claims };
LooksAt looks_at(const Condition& condition);

// The innermost condition that decided, for `explain`: of an `all` that failed the first that did,
// of an `any` that held the first that did. A `not` is not looked into: inside, yes means no. Never
// null.
const Condition* deciding(const Condition& condition, const Principal& principal,
                          Captures captures = {}, const RoomRequest* room = nullptr);

// As the policy writes it, on one line: {claim: plan, in: [pro, team]}.
std::string describe(const Condition& condition);

}  // namespace auth
