#include "gateway/key_schedule.h"

#include <algorithm>
#include <utility>

namespace gateway {

bool KeySchedule::take_unknown_key(Time now) {
  if (now < unknown_key_from_) return false;
  for_unknown_key_ = true;
  return true;
}

KeySchedule::Duration KeySchedule::succeeded(Time now,
                                             std::optional<std::chrono::seconds> fresh_for,
                                             std::uint32_t random) {
  end(now);
  retries_.reset();
  const Duration fresh = std::clamp(fresh_for.value_or(refresh_default), refresh_min, refresh_max);
  good_until_ = now + fresh + stale_max_;
  // So much sooner that the next are there before these are stale.
  const double share = 0.1 + 0.1 * static_cast<double>(random) / 0x1p32;
  return fresh - std::chrono::duration_cast<Duration>(fresh * share);
}

KeySchedule::Duration KeySchedule::failed(Time now, std::uint32_t random) {
  end(now);
  return retries_.next(random);
}

void KeySchedule::end(Time now) {
  if (std::exchange(for_unknown_key_, false)) unknown_key_from_ = now + unknown_key_cooldown;
}

}  // namespace gateway
