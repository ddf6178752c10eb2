#include "gateway/lifetime.h"

#include <algorithm>

#include "gateway/wall_time.h"

namespace gateway {

namespace {

// What is further away is so far that it makes no difference; sums with it cannot overflow.
constexpr std::chrono::milliseconds far_away = std::chrono::years(100);

proxy::Duration wall_left(auth::WallTime end, const proxy::Instant& now) {
  const auto left = end - wall_time(now);
  return std::min(left, far_away);
}

}  // namespace

Lifetime::Lifetime(std::optional<auth::WallTime> good_until, const proxy::Instant& opened)
    : opened_(opened.monotonic) {
  renew(good_until, opened);
}

void Lifetime::renew(std::optional<auth::WallTime> good_until, const proxy::Instant& now) {
  good_until_ = good_until.value_or(for_ever);
  deadline_ = now.monotonic + wall_left(good_until_, now);
  warned_ = false;
}

proxy::Duration Lifetime::left(const proxy::Instant& now) const {
  return std::min(deadline_ - now.monotonic, wall_left(good_until_, now));
}

Lifetime::Due Lifetime::due(const LifetimeRules& rules, const proxy::Instant& now) const {
  if (now.monotonic - opened_ >= rules.session_max) return Due::SessionEnd;
  const auto left = this->left(now);
  if (left <= -rules.grace) return Due::TokenEnd;
  return warns(rules) && left <= rules.warn ? Due::Warning : Due::Nothing;
}

proxy::Duration Lifetime::wait(const LifetimeRules& rules, const proxy::Instant& now) const {
  const auto session_left = opened_ + rules.session_max - now.monotonic;
  const auto token_left = deadline_ - now.monotonic;
  const auto next = warns(rules) ? token_left - rules.warn : token_left + rules.grace;
  return std::clamp<proxy::Duration>(next, proxy::Duration::zero(),
                                     std::max(session_left, proxy::Duration::zero()));
}

std::optional<auth::WallTime> Lifetime::good_until() const {
  return good_until_ == for_ever ? std::nullopt : std::optional(good_until_);
}

}  // namespace gateway
