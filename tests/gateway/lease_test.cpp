#include "gateway/lease.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <random>
#include <vector>

#include <doctest/doctest.h>

using namespace gateway;
using namespace std::chrono_literals;
using Kind = Lease::Verdict::Kind;

namespace {

const Lease::Time start{100h};
const auth::RateLimit hundred{.permits_per_second = 100, .permits_max = 100};  // leases of 10

// Passed so many of `count` at once.
int passed(Lease& lease, int count, Lease::Time now, const auth::RateLimit& limit = hundred) {
  int passes = 0;
  for (int i = 0; i < count; ++i) passes += lease.take(limit, now).kind == Kind::Pass;
  return passes;
}

// One that has asked for its first lease and got it.
Lease with_lease(std::int64_t granted = 10, Lease::Wait wait = 0ms) {
  Lease lease;
  lease.take(hundred, start);
  lease.answered({granted, wait}, hundred, start);
  return lease;
}

// The bucket in Redis, as the script keeps it.
struct SharedBucket {
  auth::RateLimit limit;
  double permits = limit.permits_max;
  Lease::Time at = start;

  Lease::Answer answer(const Lease::Question& question, Lease::Time now) {
    const std::chrono::duration<double> passed = now - at;
    at = now;
    permits = std::min(limit.permits_max, permits + passed.count() * limit.permits_per_second);
    permits = std::min(limit.permits_max, permits - static_cast<double>(question.owed));
    const auto granted = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(permits)), 0,
                                                  question.wanted);
    permits -= static_cast<double>(granted);
    if (granted == question.wanted) return {granted, 0ms};
    const double wait = std::ceil((1 - permits) / limit.permits_per_second * 1000);
    return {granted, Lease::Wait(static_cast<int>(wait))};
  }
};

// Instances whose questions and answers are on their way for some time.
struct Instances {
  struct Letter {
    std::size_t instance;
    Lease::Time due;
    std::optional<Lease::Question> question;
    Lease::Answer answer{};
  };
  auth::RateLimit limit;
  std::size_t count;
  std::mt19937 random{7};
  SharedBucket bucket{limit};
  std::vector<Lease> leases{count};
  std::deque<Letter> letters = {};
  std::vector<Lease::Time> passes = {};

  Lease::Wait some(int max_ms) {
    return Lease::Wait(std::uniform_int_distribution(0, max_ms)(random));
  }
  bool chance(double of_one) { return std::bernoulli_distribution(of_one)(random); }

  void message(std::size_t instance, Lease::Time now) {
    const auto verdict = leases[instance].take(limit, now);
    if (verdict.kind == Kind::Pass) passes.push_back(now);
    if (verdict.question) letters.push_back({instance, now + some(20), verdict.question});
  }
  void deliver(Lease::Time now) {
    for (std::size_t i = 0; i < letters.size();) {
      Letter letter = letters[i];
      if (letter.due > now) {
        ++i;
        continue;
      }
      letters.erase(letters.begin() + static_cast<std::ptrdiff_t>(i));
      if (letter.question) {
        letter.answer = bucket.answer(*letter.question, now);
        letter.question.reset();
        letter.due = now + some(20);
        letters.push_back(letter);
      } else if (auto more = leases[letter.instance].answered(letter.answer, limit, now)) {
        letters.push_back({letter.instance, now + some(20), more});
      }
    }
  }

  // The most that passed beyond burst + rate * T in any stretch of time that begins and ends with a
  // message: Kadane's sum over the gaps between them.
  double most_over() const {
    double most = -limit.permits_max;
    double here = 0;
    for (std::size_t i = 0; i < passes.size(); ++i) {
      if (i > 0) {
        const std::chrono::duration<double> gap = passes[i] - passes[i - 1];
        here = std::max(0.0, here - gap.count() * limit.permits_per_second);
      }
      most = std::max(most, ++here - limit.permits_max);
    }
    return most;
  }
  double allowed_over() const {
    return static_cast<double>(count) * 2 * static_cast<double>(lease_permits(limit));
  }
};

}  // namespace

TEST_SUITE("how much an instance holds") {
  TEST_CASE("a lease is a tenth of a second or a twentieth of a burst, 1 to the burst") {
    CHECK(lease_permits(hundred) == 10);
    CHECK(lease_permits({.permits_per_second = 1, .permits_max = 1}) == 1);
    CHECK(lease_permits({.permits_per_second = 0.001, .permits_max = 3}) == 1);
    CHECK(lease_permits({.permits_per_second = 50, .permits_max = 400}) == 20);
    CHECK(lease_permits({.permits_per_second = 10'000, .permits_max = 7}) == 7);
  }
}

TEST_SUITE("a lease") {
  TEST_CASE("the first message waits for the first answer, and it is asked for once") {
    Lease lease;
    const auto first = lease.take(hundred, start);
    CHECK(first.kind == Kind::Ask);
    CHECK(first.wait == Lease::answer_poll);
    REQUIRE(first.question);
    CHECK(first.question->owed == 0);
    CHECK(first.question->wanted == 10);
    const auto again = lease.take(hundred, start + 2ms);
    CHECK(again.kind == Kind::Ask);
    CHECK_FALSE(again.question);
    CHECK_FALSE(lease.idle());
    CHECK_FALSE(lease.answered({10, 0ms}, hundred, start + 3ms));
    CHECK(lease.take(hundred, start + 3ms).kind == Kind::Pass);
  }

  TEST_CASE("with a quarter left the next is asked for: what is missing, no more") {
    Lease lease = with_lease();
    for (int i = 0; i < 7; ++i) CHECK_FALSE(lease.take(hundred, start).question);
    const auto eighth = lease.take(hundred, start);
    CHECK(eighth.kind == Kind::Pass);
    REQUIRE(eighth.question);
    CHECK(eighth.question->owed == 0);
    CHECK(eighth.question->wanted == 8);
    CHECK(passed(lease, 1, start) == 1);
    lease.answered({8, 0ms}, hundred, start + 1ms);
    CHECK(passed(lease, 6, start + 1ms) == 6);  // of 9
    CHECK(lease.take(hundred, start + 1ms).question->wanted == 8);
  }

  TEST_CASE("without permits an answer that is under way is spent ahead of, up to one lease") {
    Lease lease = with_lease();
    CHECK(passed(lease, 100, start) == 20);
    CHECK(lease.take(hundred, start + 1ms).kind == Kind::Ask);
  }

  TEST_CASE("what the grant does not pay is asked to be charged at once") {
    Lease lease = with_lease();
    passed(lease, 100, start);
    const auto more = lease.answered({3, 10ms}, hundred, start + 2ms);
    REQUIRE(more);
    CHECK(more->owed == 7);
    CHECK(more->wanted == 10);
    CHECK_FALSE(lease.idle());
    CHECK(lease.take(hundred, start + 3ms).kind == Kind::Ask);  // and spends nothing ahead
    CHECK_FALSE(lease.answered({0, 80ms}, hundred, start + 4ms));
    CHECK(lease.idle());
  }

  TEST_CASE("what the grant pays is paid, and the rest is there") {
    Lease lease = with_lease();
    CHECK(passed(lease, 13, start) == 13);
    CHECK_FALSE(lease.answered({8, 0ms}, hundred, start));
    CHECK(lease.idle());
    CHECK(passed(lease, 3, start) == 3);
  }

  TEST_CASE("who is granted less than it wants spends nothing ahead, and asks when it may") {
    Lease lease = with_lease(2, 30ms);
    CHECK(passed(lease, 10, start) == 2);
    const auto refused = lease.take(hundred, start + 1ms);
    CHECK(refused.kind == Kind::Refuse);
    CHECK(refused.wait == 99ms);
    CHECK_FALSE(refused.question);
    const auto last = lease.take(hundred, start + 99ms);
    CHECK(last.kind == Kind::Refuse);
    CHECK(last.wait == 1ms);
    const auto again = lease.take(hundred, start + 100ms);
    CHECK(again.kind == Kind::Ask);
    CHECK(again.question->wanted == 10);
  }

  TEST_CASE("a pause is as long as the wait for a permit, and shorter where the bucket is small") {
    Lease lease = with_lease(0, 700ms);
    CHECK(lease.take(hundred, start).wait == 700ms);
    const auth::RateLimit narrow{.permits_per_second = 100, .permits_max = 2};
    Lease small;
    small.take(narrow, start);
    small.answered({0, 3ms}, narrow, start);
    CHECK(small.take(narrow, start).wait == 10ms);
  }

  TEST_CASE("after a full grant it spends ahead again") {
    Lease lease = with_lease(0, 30ms);
    lease.take(hundred, start + 100ms);
    lease.answered({10, 0ms}, hundred, start + 101ms);
    CHECK(passed(lease, 100, start + 101ms) == 20);
  }

  TEST_CASE("permits that are a second old are not brought out at once, and go back") {
    Lease lease = with_lease();
    CHECK(passed(lease, 1, start + 999ms) == 1);
    Lease old = lease;
    CHECK(passed(lease, 6, start + 999ms) == 6);
    const auto verdict = old.take(hundred, start + 1s);
    CHECK(verdict.kind == Kind::Pass);
    REQUIRE(verdict.question);
    CHECK(verdict.question->owed == -8);  // 9 go back, and one of them has been spent
    CHECK(verdict.question->wanted == 10);
    CHECK_FALSE(old.answered({10, 0ms}, hundred, start + 1s));
    CHECK(old.idle());
  }

  TEST_CASE("what goes back is not spent a second time while it is on its way") {
    Lease lease = with_lease();
    const auto question = lease.take(hundred, start + 1s).question;
    REQUIRE(question);
    CHECK(question->owed == -9);
    CHECK(passed(lease, 100, start + 1s) == 10);
    CHECK_FALSE(lease.answered({10, 0ms}, hundred, start + 1s));
    CHECK(lease.take(hundred, start + 1s).question->owed == 1);
  }

  TEST_CASE("an answer that is late is waited for no longer, and what passes meanwhile is owed") {
    Lease lease;
    lease.take(hundred, start);
    CHECK(lease.take(hundred, start + 499ms).kind == Kind::Ask);
    CHECK(passed(lease, 50, start + 500ms) == 50);
    CHECK_FALSE(lease.take(hundred, start + 500ms).question);
    const auto more = lease.answered({4, 20ms}, hundred, start + 600ms);
    REQUIRE(more);
    CHECK(more->owed == 47);
    CHECK(passed(lease, 50, start + 600ms) == 0);
  }

  TEST_CASE("of what passes while an answer is late a burst is owed, and no more") {
    Lease lease;
    lease.take(hundred, start);
    CHECK(passed(lease, 300, start + 3s) == 300);
    CHECK(lease.answered({10, 0ms}, hundred, start + 3s)->owed == 90);
  }

  // Workers are threads with clocks of their own, each of which stands still in an iteration.
  TEST_CASE("an answer that granted all refuses nobody, though it came by a clock that is ahead") {
    Lease lease;
    lease.take(hundred, start);
    lease.answered({10, 0ms}, hundred, start + 3ms);
    CHECK(passed(lease, 20, start) == 20);
    CHECK(lease.take(hundred, start).kind == Kind::Ask);
  }

  TEST_CASE("permits that are let go for their age are asked for again at once") {
    const auth::RateLimit slow{.permits_per_second = 0.1, .permits_max = 100};
    Lease lease;
    lease.take(slow, start);
    lease.answered({3, 6s}, slow, start);
    const auto late = lease.take(slow, start + Lease::kept_max);
    CHECK(late.kind == Kind::Ask);
    REQUIRE(late.question);
    CHECK(late.question->owed == -3);
  }

  TEST_CASE("the longer an answer takes, the less often it is looked for") {
    Lease lease;
    CHECK(lease.take(hundred, start).wait == Lease::answer_poll);
    CHECK(lease.take(hundred, start - 5ms).wait == Lease::answer_poll);
    CHECK(lease.take(hundred, start + 20ms).wait == 20ms);
    CHECK(lease.take(hundred, start + 400ms).wait == Lease::answer_poll_max);
  }

  TEST_CASE("without an answer it begins anew") {
    Lease lease = with_lease();
    passed(lease, 100, start);
    lease.unanswered();
    CHECK(lease.idle());
    const auto again = lease.take(hundred, start);
    CHECK(again.kind == Kind::Ask);
    CHECK(again.question->owed == 0);
  }
}

TEST_SUITE("several instances") {
  TEST_CASE("nobody passes more than the bound says in any stretch of time") {
    for (const auto& limit : {hundred, auth::RateLimit{50, 200}, auth::RateLimit{20, 1},
                              auth::RateLimit{1'000, 20}, auth::RateLimit{3, 60}}) {
      for (const std::size_t count : {1u, 3u, 10u}) {
        CAPTURE(limit.permits_per_second);
        CAPTURE(limit.permits_max);
        CAPTURE(count);
        Instances all{limit, count};
        constexpr int seconds = 30;
        bool flood = true;
        for (auto now = start; now < start + seconds * 1s; now += 1ms) {
          if (all.chance(0.001)) flood = !flood;
          for (std::size_t i = 0; i < count; ++i) {
            if (!all.chance(flood ? 0.9 : 0.02)) continue;
            for (int n = 0; n < 1 + all.some(10).count(); ++n) all.message(i, now);
          }
          all.deliver(now);
        }
        CHECK(all.most_over() <= all.allowed_over());
      }
    }
  }

  TEST_CASE("under a flood what comes in is spent") {
    for (const auto& limit :
         {hundred, auth::RateLimit{50, 200}, auth::RateLimit{1'000, 20}, auth::RateLimit{3, 60}}) {
      CAPTURE(limit.permits_per_second);
      Instances all{limit, 3};
      constexpr int seconds = 60;
      for (auto now = start; now < start + seconds * 1s; now += 1ms) {
        for (std::size_t i = 0; i < 3; ++i) all.message(i, now);
        all.deliver(now);
      }
      const double due = limit.permits_max + limit.permits_per_second * seconds;
      CHECK(static_cast<double>(all.passes.size()) <= due + all.allowed_over());
      CHECK(static_cast<double>(all.passes.size()) >= 0.9 * due);
    }
  }

  TEST_CASE("who sends little and seldom gets all of its rate, whatever leases it lets go") {
    const auth::RateLimit limit{.permits_per_second = 1, .permits_max = 100};  // leases of 5
    Instances all{limit, 1};
    all.bucket.permits = 6;
    int sent = 0;
    for (auto now = start; now < start + 300s; now += 1ms) {
      if ((now - start) % 1'500ms == 0ms) ++sent, all.message(0, now);
      all.deliver(now);
    }
    CHECK(all.passes.size() + 1 == static_cast<std::size_t>(sent));  // the first one had to wait
  }
}
