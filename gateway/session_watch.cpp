#include "gateway/session_watch.h"

#include <algorithm>
#include <utility>

#include "auth/session_record.h"
#include "gateway/keyed_hash.h"
#include "gateway/wall_time.h"
#include "proxy/random.h"

namespace gateway {

namespace {

using namespace std::chrono_literals;

// Of the time between two questions, so that those who came together do not stay together: the
// first three quarters are everybody's.
constexpr int spread_quarters = 1;

// While the store is away.
constexpr proxy::Duration retry_max = 30s;

// Just before its end a session is asked for once more: a request may have prolonged it.
constexpr proxy::Duration ahead_of_end = 1s;

// What is further away makes no difference here; sums with it cannot overflow.
constexpr std::chrono::milliseconds far_away = 24h;

// A time to live is counted down by another clock: ends that are no further apart are one.
constexpr std::chrono::milliseconds same_end_max = 1s;

bool moved(std::optional<auth::WallTime> before, std::optional<auth::WallTime> now) {
  if (!before || !now) return before != now;
  return std::chrono::abs(*now - *before) >= same_end_max;
}

proxy::Duration spread(proxy::Duration whole, std::uint32_t random) {
  const auto share = static_cast<double>(random) / 0x1p32;
  const auto spread = static_cast<double>((whole * spread_quarters / 4).count());
  return whole - proxy::Duration(static_cast<proxy::Duration::rep>(share * spread));
}

std::uint64_t hash_of(const auth::Claims& claims) {
  static const HashKey key = HashKey::random();
  return keyed_hash(key, claims.to_json());
}

}  // namespace

SessionWatch::SessionWatch(Host& host, proxy::Timers& timers, std::string id,
                           const auth::Principal& principal)
    : host_(host),
      timers_(timers),
      id_(std::move(id)),
      claims_(hash_of(principal.claims)),
      good_until_(principal.good_until),
      due_(timers, [this] { ask(); }) {
  wait();
}

void SessionWatch::stop() {
  due_.disarm();
  inquiry_.reset();
}

void SessionWatch::ask() {
  SessionStore::Asker& asker = *this;
  inquiry_ = host_.session_store().ask(id_, asker);
  if (!inquiry_) on_away();
}

void SessionWatch::on_session(const SessionStore::Answer& answer) {
  inquiry_.reset();
  switch (answer.kind) {
    case SessionStore::Answer::Kind::Away:
      return on_away();
    case SessionStore::Answer::Kind::Missing:
      return host_.on_session_over(Goodbye::LoggedOut);
    case SessionStore::Answer::Kind::Found:
      return read(answer);
  }
}

void SessionWatch::on_away() {
  const auto now = timers_.now().monotonic;
  if (!away_since_) away_since_ = now;
  if (now - *away_since_ >= away_max) return host_.on_session_over(Goodbye::SessionStoreAway);
  wait();
}

void SessionWatch::read(const SessionStore::Answer& answer) {
  away_since_.reset();
  auto principal = auth::read_session(answer.record, answer.time_to_live,
                                      host_.session_settings().rules, wall_time(timers_.now()));
  if (!principal) return host_.on_session_over(Goodbye::LoggedOut);
  if (principal->subject != host_.subject()) {
    return host_.on_session_over(Goodbye::PrincipalChanged);
  }
  const bool other_end = moved(good_until_, principal->good_until);
  if (other_end) good_until_ = principal->good_until;
  const auto claims = hash_of(principal->claims);
  const bool other_claims = claims != std::exchange(claims_, claims);
  wait();
  if (other_end || other_claims) {
    host_.on_session_changed(*std::move(principal), other_claims);
  }
}

void SessionWatch::wait() {
  const auto now = timers_.now();
  auto next = spread(host_.session_settings().recheck, proxy::random_number());
  if (away_since_) {
    next = std::min({next, retry_max, *away_since_ + away_max - now.monotonic});
  }
  if (good_until_) {
    const proxy::Duration left =
        std::min<std::chrono::milliseconds>(*good_until_ - wall_time(now), far_away);
    if (left > 2 * ahead_of_end) next = std::min(next, left - ahead_of_end);
  }
  due_.arm(std::max(next, proxy::Duration::zero()));
}

}  // namespace gateway
