// What one instance holds of a bucket that several share in Redis (CONTRACT section 2, `scope:
// global`), so that a message costs no round trip: permits that it has been granted, and permits
// that it has spent ahead of the next grant. Arithmetic alone: it asks nobody and has no clock.
//
// Of a bucket of `burst` and `rate` a second, what passes on N instances in T seconds is at most
//
//   burst + rate * T + N * (lease + advance)
//
// with `lease` and `advance` both lease_permits(): all that passes is taken out of the bucket,
// sooner or later; a lease is what an instance may hold when the time begins, an advance what it
// may not have paid when it ends. Debts do not add up: whoever is not granted all that it asks for
// spends nothing ahead until it is, which is not before the bucket has been paid what it lacked.
// Where an answer is late what the instance's own bucket lets pass meanwhile comes on top, and is
// charged afterwards, up to a burst.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "auth/rate_limit.h"

namespace gateway {

// What an instance asks for: a tenth of a second's worth, or a twentieth of a burst, which then
// passes with few questions. At least 1, at most the burst.
std::int64_t lease_permits(const auth::RateLimit& limit);

class Lease {
 public:
  using Time = auth::TokenBucket::Time;
  using Wait = std::chrono::milliseconds;

  // Permits that were granted and are not spent after this time go back with the next question: an
  // instance where a subject has fallen silent does not bring them out in the midst of a burst.
  static constexpr Wait kept_max{1000};

  // How often a message that cannot be judged before the answer comes is to be judged again, and
  // how long it waits at most: longer than a Redis is busy with something else now and then. From
  // then on the instance's own bucket decides alone until there is an answer.
  static constexpr Wait answer_poll{2};  // at first
  static constexpr Wait answer_poll_max{50};
  static constexpr Wait answer_late{500};

  // How long who was not granted all that it asked for asks no more, at most; unless no permit
  // comes before.
  static constexpr Wait pause_max{100};

  // `owed`: spent ahead, or less than nothing: granted and not spent. The bucket is charged with it
  // whatever is in it; then at most `wanted` are granted of what is there.
  struct Question {
    std::int64_t owed;
    std::int64_t wanted;
  };
  // `wait`: until there is a permit, where fewer were granted than wanted; else zero.
  struct Answer {
    std::int64_t granted;
    Wait wait;
  };

  struct Verdict {
    enum class Kind : std::uint8_t {
      Pass,
      Ask,     // not known before the answer: judge it again after `wait`
      Refuse,  // no permit for `wait`
    };
    Kind kind = Kind::Pass;
    Wait wait{0};
    std::optional<Question> question = {};  // to be asked now
  };

  // Of one message. Where it has a question answered() or unanswered() is to follow, once.
  Verdict take(const auth::RateLimit& limit, Time now);

  // With another question where something is owed still.
  std::optional<Question> answered(const Answer& answer, const auth::RateLimit& limit, Time now);

  // Nobody knows whether the bucket was charged: begins anew.
  void unanswered() { *this = {}; }

  // May be forgotten: what is charged and not spent is a lease at most.
  bool idle() const { return !asking_ && owed_ <= 0; }

 private:
  Question ask(const auth::RateLimit& limit, Time now);
  void give_back_old(Time now);
  Wait poll_after(Time now) const;

  std::int64_t permits_ = 0;
  std::int64_t owed_ = 0;   // as in a Question; what the question under way says is in it
  std::int64_t asked_ = 0;  // of owed_: in the question under way
  Time asked_at_{};
  Time answered_at_{};
  Time ask_from_{};
  bool asking_ = false;
  bool generous_ = false;  // the latest answer granted all
};

}  // namespace gateway
