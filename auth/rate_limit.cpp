#include "auth/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace auth {
namespace {

// What rounding may cost: so that what wait_for() promised is there, whatever was added up before.
constexpr double permits_rounding = 1e-6;

constexpr std::chrono::hours wait_max{24};

}  // namespace

static_assert(sizeof(TokenBucket) == 16);

double TokenBucket::permits_at(const RateLimit& limit, Time now) const {
  const std::chrono::duration<double> elapsed = std::max(now - refilled_, Time::duration::zero());
  return std::min(limit.permits_max, permits_ + elapsed.count() * limit.permits_per_second);
}

bool TokenBucket::take(const RateLimit& limit, Time now, double permits) {
  if (!limit.limited()) return true;
  const double wanted = std::min(permits, limit.permits_max);
  const double held = permits_at(limit, now);
  if (held + permits_rounding < wanted) return false;
  permits_ = std::max(held - wanted, 0.0);
  refilled_ = std::max(now, refilled_);
  return true;
}

bool TokenBucket::holds(const RateLimit& limit, Time now, double permits) const {
  return !limit.limited() || permits_at(limit, now) >= permits;
}

std::chrono::milliseconds TokenBucket::wait_for(const RateLimit& limit, Time now,
                                                double permits) const {
  using std::chrono::milliseconds;
  if (!limit.limited()) return milliseconds::zero();
  const double missing = std::min(permits, limit.permits_max) - permits_at(limit, now);
  if (missing <= permits_rounding) return milliseconds::zero();
  // Rounded up, but not for half of what rounding may cost.
  const double wait_ms =
      std::ceil((missing - permits_rounding / 2) / limit.permits_per_second * 1000);
  if (!(wait_ms < static_cast<double>(milliseconds(wait_max).count()))) return wait_max;
  return milliseconds(static_cast<milliseconds::rep>(wait_ms));
}

bool TokenBucket::full(const RateLimit& limit, Time now) const {
  return !limit.limited() || permits_at(limit, now) + permits_rounding >= limit.permits_max;
}

}  // namespace auth
