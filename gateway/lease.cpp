#include "gateway/lease.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace gateway {
namespace {

constexpr double seconds_of_rate = 0.1;
constexpr double part_of_burst = 0.05;

// Of a lease: with so much left the next is asked for, so that it is there when it is needed.
constexpr std::int64_t ask_at_part = 4;

// The time in which a lease comes into the bucket; half of that in which all of a small one does,
// so that it is not full meanwhile, which would be permits lost.
Lease::Wait pause(const auth::RateLimit& limit) {
  const double permits = std::min(static_cast<double>(lease_permits(limit)), limit.permits_max / 2);
  const double ms = permits / limit.permits_per_second * 1000;
  return ms < static_cast<double>(Lease::pause_max.count())
             ? Lease::Wait(static_cast<Lease::Wait::rep>(ms))
             : Lease::pause_max;
}

Lease::Wait until(Lease::Time then, Lease::Time now) {
  return std::chrono::ceil<Lease::Wait>(then - now);
}

}  // namespace

std::int64_t lease_permits(const auth::RateLimit& limit) {
  const double permits =
      std::max(limit.permits_per_second * seconds_of_rate, limit.permits_max * part_of_burst);
  return static_cast<std::int64_t>(std::max(1.0, std::ceil(std::min(permits, limit.permits_max))));
}

Lease::Verdict Lease::take(const auth::RateLimit& limit, Time now) {
  using Kind = Verdict::Kind;
  give_back_old(now);
  const std::int64_t full = lease_permits(limit);
  // What the question under way gives back may have gone already.
  const std::int64_t owed_at_most = owed_ - std::min<std::int64_t>(asked_, 0);
  Verdict verdict;
  if (permits_ > 0) {
    --permits_;
  } else if (asking_ && now - asked_at_ >= answer_late) {
    if (static_cast<double>(owed_at_most) < limit.permits_max) ++owed_;
  } else if (generous_ && owed_at_most < full) {
    ++owed_;
  } else if (!asking_ && now < ask_from_) {
    return {Kind::Refuse, until(ask_from_, now)};
  } else {
    verdict = {Kind::Ask, poll_after(now)};
  }
  if (!asking_ && now >= ask_from_ && permits_ <= full / ask_at_part) {
    verdict.question = ask(limit, now);
  }
  return verdict;
}

Lease::Question Lease::ask(const auth::RateLimit& limit, Time now) {
  asking_ = true;
  asked_ = owed_;
  asked_at_ = now;
  return {owed_, std::max<std::int64_t>(0, lease_permits(limit) - permits_)};
}

std::optional<Lease::Question> Lease::answered(const Answer& answer, const auth::RateLimit& limit,
                                               Time now) {
  asking_ = false;
  answered_at_ = now;
  generous_ = answer.wait == Wait::zero();
  // Who takes is on another thread, whose clock may be behind this one: a time that holds nobody up
  // is none of today.
  ask_from_ = generous_ ? Time{} : now + std::max(answer.wait, pause(limit));
  permits_ += answer.granted;
  owed_ -= std::exchange(asked_, 0);
  const std::int64_t paid = std::clamp<std::int64_t>(owed_, 0, permits_);
  permits_ -= paid;
  owed_ -= paid;
  if (owed_ <= 0) return std::nullopt;
  return ask(limit, now);
}

void Lease::give_back_old(Time now) {
  if (permits_ == 0 || now - answered_at_ < kept_max) return;
  owed_ -= std::exchange(permits_, 0);
  ask_from_ = {};  // for what has just been let go
}

// As long as it has been waited for already, so that a slow answer costs many who wait little.
Lease::Wait Lease::poll_after(Time now) const {
  const auto waited = asking_ ? std::chrono::floor<Wait>(now - asked_at_) : Wait::zero();
  return std::clamp(waited, answer_poll, answer_poll_max);
}

}  // namespace gateway
