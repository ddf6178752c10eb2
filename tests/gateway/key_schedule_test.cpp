#include "gateway/key_schedule.h"

#include <doctest/doctest.h>

using gateway::KeySchedule;
using namespace std::chrono_literals;

namespace {

constexpr KeySchedule::Time start{1'000h};
constexpr std::uint32_t least = 0, most = 0xffff'ffff;

// To the nearest: a share of a time is no whole number of its ticks.
long seconds_of(KeySchedule::Duration duration) {
  return std::chrono::round<std::chrono::seconds>(duration).count();
}

}  // namespace

TEST_SUITE("When keys are fetched") {
  TEST_CASE("again before the time that the provider names is over, by a tenth to a fifth of it") {
    KeySchedule schedule(24h);
    CHECK(seconds_of(schedule.succeeded(start, 600s, least)) == 540);
    CHECK(seconds_of(schedule.succeeded(start, 600s, most)) == 480);
  }

  TEST_CASE("neither more often than every 10 s nor more seldom than every hour") {
    KeySchedule schedule(24h);
    CHECK(seconds_of(schedule.succeeded(start, 0s, least)) == 9);
    CHECK(seconds_of(schedule.succeeded(start, 9s, least)) == 9);
    CHECK(seconds_of(schedule.succeeded(start, 20s, least)) == 18);
    CHECK(seconds_of(schedule.succeeded(start, 3600s, least)) == 3240);
    CHECK(seconds_of(schedule.succeeded(start, std::chrono::seconds(1u << 31), least)) == 3240);
  }

  TEST_CASE("after 5 min where the provider names no time") {
    CHECK(seconds_of(KeySchedule(24h).succeeded(start, {}, least)) == 270);
  }

  TEST_CASE("after a failure soon, then ever later, at most after a minute") {
    KeySchedule schedule(24h);
    for (const auto longest : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
      CAPTURE(longest.count());
      const auto wait = schedule.failed(start, most);
      CHECK(wait <= longest);
      CHECK(wait >= longest - 1ms);
    }
    CHECK(schedule.failed(start, least) == 30s);
    schedule.succeeded(start, 600s, least);
    CHECK(schedule.failed(start, most) <= 1s);
  }
}

TEST_SUITE("Keys that a token names and that are not there") {
  TEST_CASE("are fetched at once, however young the set is") {
    KeySchedule schedule(24h);
    CHECK(schedule.take_unknown_key(start));
    schedule.succeeded(start, 600s, least);  // that was for the unknown key
    KeySchedule other(24h);
    other.succeeded(start, 600s, least);
    CHECK(other.take_unknown_key(start));
  }

  TEST_CASE("10 000 of them in a minute are at most one fetch in each 10 s") {
    KeySchedule schedule(24h);
    schedule.succeeded(start, 600s, least);
    int fetches = 0;
    for (int i = 0; i < 10'000; ++i) {
      const auto now = start + i * 6ms;
      if (!schedule.take_unknown_key(now)) continue;
      ++fetches;
      i % 2 ? (void)schedule.succeeded(now, 600s, least) : (void)schedule.failed(now, least);
    }
    CHECK(fetches == 6);
  }

  TEST_CASE("the cooldown begins when their fetch ends, whether well or not") {
    for (const bool well : {true, false}) {
      CAPTURE(well);
      KeySchedule schedule(24h);
      REQUIRE(schedule.take_unknown_key(start));
      const auto end = start + 9s;
      well ? schedule.succeeded(end, 600s, least) : schedule.failed(end, least);
      CHECK(schedule.unknown_key_from() == end + 10s);
      CHECK_FALSE(schedule.take_unknown_key(end + 10s - 1ms));
      CHECK(schedule.take_unknown_key(end + 10s));
    }
  }

  TEST_CASE("no cooldown comes of a fetch that was due anyway") {
    KeySchedule schedule(24h);
    schedule.succeeded(start, 600s, least);
    schedule.failed(start, least);
    CHECK(schedule.take_unknown_key(start));
  }
}

TEST_SUITE("How long keys are good") {
  TEST_CASE("there are none before the first fetch, whatever failed") {
    KeySchedule schedule(24h);
    CHECK_FALSE(schedule.good(start));
    schedule.failed(start, least);
    CHECK_FALSE(schedule.good(start));
    CHECK_FALSE(schedule.good_until());
  }

  TEST_CASE("stale_max longer than they are fresh, and not a moment more") {
    KeySchedule schedule(2h);
    schedule.succeeded(start, 600s, most);
    schedule.failed(start + 600s, least);
    CHECK(schedule.good(start + 600s + 2h - 1ms));
    CHECK_FALSE(schedule.good(start + 600s + 2h));
  }

  TEST_CASE("each fetch that succeeds begins it anew") {
    KeySchedule schedule(0s);
    schedule.succeeded(start, 600s, least);
    schedule.succeeded(start + 599s, 600s, least);
    CHECK(schedule.good(start + 1198s));
    CHECK_FALSE(schedule.good(start + 1199s));
  }
}
