// How long a connection may last (CONTRACT section 2, "Time"): to its token's end, told by two
// clocks of which the first to get there decides, and whatever is refreshed never longer than the
// route's `max_session`. It has no clock: it is told the time.
#pragma once

#include <cstdint>
#include <optional>

#include "auth/principal.h"
#include "gateway/policy.h"
#include "proxy/timers.h"

namespace gateway {

class Lifetime {
 public:
  // `good_until`: of the token; none: for ever.
  Lifetime(std::optional<auth::WallTime> good_until, const proxy::Instant& opened);

  // Another token has taken the place of the one that was.
  void renew(std::optional<auth::WallTime> good_until, const proxy::Instant& now);

  enum class Due : std::uint8_t { Nothing, Warning, TokenEnd, SessionEnd };
  Due due(const LifetimeRules& rules, const proxy::Instant& now) const;

  // From now until the next of them is due, as long as nobody steps the wall clock.
  proxy::Duration wait(const LifetimeRules& rules, const proxy::Instant& now) const;

  void set_warned() { warned_ = true; }  // of the end of this token: once is enough

  // To the token's end; below zero: since it.
  proxy::Duration left(const proxy::Instant& now) const;

  proxy::MonotonicTime opened() const { return opened_; }
  std::optional<auth::WallTime> good_until() const;

 private:
  bool warns(const LifetimeRules& rules) const {
    return !warned_ && rules.warn > rules.warn.zero();
  }

  static constexpr auto for_ever = auth::WallTime::max();

  proxy::MonotonicTime opened_;
  auth::WallTime good_until_;
  proxy::MonotonicTime deadline_;  // the same by the clock that nobody steps
  bool warned_ = false;
};

}  // namespace gateway
