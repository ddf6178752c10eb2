// The rules of a route's rooms, in the order in which they are asked (permissions.h). What is asked
// of all of them together is worked out once: there may be a thousand, and connections that ask are
// many.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

#include "auth/permissions.h"

namespace auth {

class RoomRules {
 public:
  RoomRules() = default;
  RoomRules(std::vector<RoomRule> rules)
      : rules_(std::move(rules)), looks_at_(auth::looks_at(rules_)) {}
  RoomRules(std::initializer_list<RoomRule> rules) : RoomRules(std::vector<RoomRule>(rules)) {}

  auto begin() const { return rules_.begin(); }
  auto end() const { return rules_.end(); }
  std::size_t size() const { return rules_.size(); }
  bool empty() const { return rules_.empty(); }
  const RoomRule& operator[](std::size_t i) const { return rules_[i]; }

  // The most that any answer may depend on.
  LooksAt looks_at() const { return looks_at_; }

 private:
  std::vector<RoomRule> rules_;
  LooksAt looks_at_ = LooksAt::Nothing;
};

}  // namespace auth
