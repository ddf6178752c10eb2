#include "gateway/drain.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "gateway/survey.h"
#include "proxy/random.h"

namespace gateway {

std::size_t DrainPace::due(std::size_t left, proxy::MonotonicTime now, std::uint32_t random) {
  if (over(now)) return left;
  const auto since_last = static_cast<double>((now - ticked_).count());
  const double share = since_last / static_cast<double>((end_ - ticked_).count());
  ticked_ = now;
  const double expected = static_cast<double>(left) * share;
  const auto whole = static_cast<std::size_t>(expected);
  constexpr double random_numbers = 0x1p32;
  const double fraction = expected - static_cast<double>(whole);
  return whole + (random / random_numbers < fraction ? 1 : 0);
}

Drain::Drain(proxy::Timers& timers, Sessions& sessions)
    : timers_(timers), sessions_(sessions), timer_(timers, [this] { on_tick(); }) {}

void Drain::begin(proxy::Duration spread) {
  begun_ = true;
  left_ = sessions_.size();
  pace_ = DrainPace(timers_.now().monotonic, spread);
  on_tick();
}

void Drain::hasten() {
  if (!std::exchange(begun_, true)) left_ = sessions_.size();
  timer_.disarm();
  left_ = std::min(left_, sessions_.size());
  while (left_ > 0) let_one_go();
}

std::string Drain::reason() {
  return fmt::format("retry_after_ms={}", proxy::random_number() % retry_after_ms_max);
}

// Not more than a slice, so that the others are served meanwhile; the pace catches up.
void Drain::on_tick() {
  const auto now = timers_.now().monotonic;
  left_ = std::min(left_, sessions_.size());
  const auto due = pace_.due(left_, now, proxy::random_number());
  for (auto i = std::min(due, survey_slice); i > 0; --i) let_one_go();
  if (left_ > 0) timer_.arm(pace_.over(now) ? proxy::Duration(0) : tick);
}

// Any of those that are left: neighbours may have come together, and would come together again.
void Drain::let_one_go() {
  const auto chosen = proxy::random_number() % left_;
  --left_;
  std::swap(sessions_[chosen], sessions_[left_]);
  sessions_[chosen]->place = chosen;
  sessions_[left_]->place = left_;
  sessions_[left_]->drain(reason());
}

}  // namespace gateway
