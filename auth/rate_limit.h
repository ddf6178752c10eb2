// Token-bucket rate limit. In this code base "token" alone means a bearer token, so what a bucket
// holds is called permits. The bucket has no clock: the caller says what time it is.
#pragma once

#include <chrono>

namespace auth {

struct RateLimit {
  double permits_per_second = 0;  // 0: no limit
  double permits_max = 0;         // what a full bucket holds

  bool limited() const { return permits_per_second > 0; }
};

// Starts full. The limit is passed at each call, so that many buckets share one and a bucket is 16
// octets.
class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;

  TokenBucket(const RateLimit& limit, Time now) : permits_(limit.permits_max), refilled_(now) {}

  // Takes `permits`, or takes nothing and says no. More than permits_max counts as permits_max:
  // what is larger than the bucket empties it, and is not refused for ever.
  bool take(const RateLimit& limit, Time now, double permits = 1);

  // Are there so many permits, and no fewer? A bucket never holds more than permits_max.
  bool holds(const RateLimit& limit, Time now, double permits) const;

  // How long until `permits` could be taken, at most a day; zero: now.
  std::chrono::milliseconds wait_for(const RateLimit& limit, Time now, double permits = 1) const;

  // A full bucket remembers nothing and may be forgotten.
  bool full(const RateLimit& limit, Time now) const;

 private:
  double permits_at(const RateLimit& limit, Time now) const;

  double permits_;
  Time refilled_;
};

}  // namespace auth
