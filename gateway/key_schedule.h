// When a set of keys that has a URL is fetched, and how long it is good: by the provider's own word
// within bounds, sooner where a token names a key that is not there, later where the provider is
// away. Without a clock: it is told the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "proxy/backoff.h"

namespace gateway {

class KeySchedule {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  // A set is fetched again shortly before the time is over that its answer names (Cache-Control),
  // which is brought within these.
  static constexpr std::chrono::seconds refresh_min{10};
  static constexpr std::chrono::seconds refresh_max{3600};
  static constexpr std::chrono::seconds refresh_default{300};  // where the answer names none

  // Any client can name a key that does not exist.
  static constexpr std::chrono::seconds unknown_key_cooldown{10};

  static constexpr std::chrono::seconds retry_first{1};
  static constexpr std::chrono::seconds retry_longest{60};

  // `stale_max`: how long keys are good after they should have been fetched again.
  explicit KeySchedule(Duration stale_max)
      : stale_max_(stale_max), retries_(retry_first, retry_longest) {}

  void set_stale_max(Duration stale_max) { stale_max_ = stale_max; }  // from the next fetch on

  // A token names a key that is not there. May a fetch begin for it? That it does is remembered:
  // when it ends, the cooldown begins.
  bool take_unknown_key(Time now);

  // A fetch ended, with the keys (or the word that those at hand are still good). Returns how long
  // to wait for the next; `random`: anything, so that instances do not all come at once.
  Duration succeeded(Time now, std::optional<std::chrono::seconds> fresh_for, std::uint32_t random);
  Duration failed(Time now, std::uint32_t random);

  // From when on take_unknown_key() says yes, unless a fetch is under way.
  Time unknown_key_from() const { return unknown_key_from_; }

  // None: no keys were ever fetched.
  std::optional<Time> good_until() const { return good_until_; }
  bool good(Time now) const { return good_until_ && now < *good_until_; }

 private:
  void end(Time now);

  Duration stale_max_;
  proxy::Backoff retries_;
  bool for_unknown_key_ = false;  // the fetch that is under way is
  Time unknown_key_from_ = Time::min();
  std::optional<Time> good_until_;
};

}  // namespace gateway
