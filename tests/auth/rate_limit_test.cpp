#include "auth/rate_limit.h"

#include <limits>

#include <doctest/doctest.h>

using auth::RateLimit;
using auth::TokenBucket;
using std::chrono::milliseconds;

namespace {

constexpr TokenBucket::Time start{std::chrono::hours(1000)};
constexpr RateLimit ten_a_second{.permits_per_second = 10, .permits_max = 5};

}  // namespace

TEST_SUITE("Token bucket") {
  TEST_CASE("a full bucket gives what it holds, then nothing") {
    TokenBucket bucket(ten_a_second, start);
    for (int taken = 0; taken < 5; ++taken) CHECK(bucket.take(ten_a_second, start));
    CHECK_FALSE(bucket.take(ten_a_second, start));
  }

  TEST_CASE("it fills with time, up to its brim") {
    TokenBucket bucket(ten_a_second, start);
    CHECK(bucket.take(ten_a_second, start, 5));
    CHECK_FALSE(bucket.take(ten_a_second, start + milliseconds(99)));
    CHECK(bucket.take(ten_a_second, start + milliseconds(100)));
    CHECK_FALSE(bucket.take(ten_a_second, start + milliseconds(100)));
    const TokenBucket::Time later = start + std::chrono::hours(9);
    CHECK(bucket.take(ten_a_second, later, 5));
    CHECK_FALSE(bucket.take(ten_a_second, later, 0.01));
  }

  TEST_CASE("a refusal takes nothing") {
    TokenBucket bucket(ten_a_second, start);
    CHECK(bucket.take(ten_a_second, start, 3));
    CHECK_FALSE(bucket.take(ten_a_second, start, 3));
    CHECK(bucket.take(ten_a_second, start, 2));
  }

  TEST_CASE("more than the bucket holds empties it") {
    TokenBucket bucket(ten_a_second, start);
    CHECK(bucket.take(ten_a_second, start, 1e12));
    CHECK_FALSE(bucket.take(ten_a_second, start, 0.5));
    CHECK_FALSE(bucket.take(ten_a_second, start + milliseconds(499), 1e12));
    CHECK(bucket.take(ten_a_second, start + milliseconds(500),
                      std::numeric_limits<double>::infinity()));
  }

  TEST_CASE("it holds what it could give, never more than its brim, and giving is another thing") {
    TokenBucket bucket(ten_a_second, start);
    CHECK(bucket.holds(ten_a_second, start, 5));
    CHECK(bucket.holds(ten_a_second, start, 5));
    CHECK_FALSE(bucket.holds(ten_a_second, start + std::chrono::hours(9), 5.1));
    CHECK(bucket.take(ten_a_second, start, 5));
    CHECK_FALSE(bucket.holds(ten_a_second, start + milliseconds(99), 1));
    CHECK(bucket.holds(ten_a_second, start + milliseconds(100), 1));
  }

  TEST_CASE("after the wait that it names it gives, and not before") {
    TokenBucket bucket(ten_a_second, start);
    CHECK(bucket.wait_for(ten_a_second, start) == milliseconds(0));
    CHECK(bucket.take(ten_a_second, start, 5));
    CHECK(bucket.wait_for(ten_a_second, start) == milliseconds(100));
    CHECK(bucket.wait_for(ten_a_second, start, 2) == milliseconds(200));
    CHECK(bucket.wait_for(ten_a_second, start, 1e12) == milliseconds(500));
    CHECK(bucket.wait_for(ten_a_second, start + milliseconds(99)) == milliseconds(1));
  }

  TEST_CASE("whatever was added up before, the wait is enough and is never zero for a refusal") {
    for (const double rate : {0.1, 1.0 / 3, 7.0, 10.0, 600.0 / 60, 1e3, 1e9}) {
      const RateLimit limit{.permits_per_second = rate, .permits_max = rate < 1 ? 1 : rate * 2};
      TokenBucket bucket(limit, start);
      TokenBucket::Time now = start;
      for (int turn = 0; turn < 1000; ++turn) {
        now += std::chrono::microseconds(turn * 37);
        const double wanted = limit.permits_max * ((turn * 7919) % 100) / 100;
        if (bucket.take(limit, now, wanted)) continue;
        const milliseconds wait = bucket.wait_for(limit, now, wanted);
        REQUIRE(wait > milliseconds(0));
        now += wait;
        REQUIRE(bucket.take(limit, now, wanted));
      }
    }
  }

  TEST_CASE("a wait is at most a day") {
    const RateLimit slow{.permits_per_second = 1e-300, .permits_max = 1};
    TokenBucket bucket(slow, start);
    CHECK(bucket.take(slow, start));
    CHECK(bucket.wait_for(slow, start) == std::chrono::hours(24));
  }

  TEST_CASE("no limit: everything is given at once, and nothing is remembered") {
    const RateLimit none;
    TokenBucket bucket(none, start);
    CHECK(bucket.take(none, start, 1e18));
    CHECK(bucket.holds(none, start, 1e18));
    CHECK(bucket.wait_for(none, start, 1e18) == milliseconds(0));
    CHECK(bucket.full(none, start));
  }

  TEST_CASE("a bucket is full again when what was taken has come back") {
    TokenBucket bucket(ten_a_second, start);
    CHECK(bucket.full(ten_a_second, start));
    CHECK(bucket.take(ten_a_second, start));
    CHECK_FALSE(bucket.full(ten_a_second, start + milliseconds(99)));
    CHECK(bucket.full(ten_a_second, start + milliseconds(100)));
  }

  TEST_CASE("a time before the last one gives nothing and takes nothing") {
    TokenBucket bucket(ten_a_second, start);
    const TokenBucket::Time earlier = start - std::chrono::hours(1);
    CHECK(bucket.take(ten_a_second, start, 3));
    CHECK(bucket.take(ten_a_second, earlier, 2));
    CHECK_FALSE(bucket.take(ten_a_second, earlier));
    CHECK_FALSE(bucket.take(ten_a_second, start + milliseconds(99)));
    CHECK(bucket.take(ten_a_second, start + milliseconds(100)));
  }

  TEST_CASE("a limit that was lowered holds for what the bucket had") {
    TokenBucket bucket(ten_a_second, start);
    const RateLimit lower{.permits_per_second = 1, .permits_max = 1};
    CHECK(bucket.take(lower, start));
    CHECK_FALSE(bucket.take(lower, start));
  }
}
