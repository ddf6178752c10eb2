#include "gateway/drain.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

using namespace gateway;
using namespace std::chrono_literals;

namespace {

constexpr proxy::MonotonicTime begin{1h};
constexpr std::uint32_t never = 0xffff'ffff;  // of what is no whole one
constexpr std::uint32_t always = 0;

}  // namespace

TEST_SUITE("the pace of a drain") {
  TEST_CASE("as many go at one tick as at another, and the last at the end") {
    DrainPace pace(begin, 10s);
    std::size_t left = 5'000;
    for (auto now = begin + 20ms; now < begin + 10s; now += 20ms) {
      const auto due = pace.due(left, now, never);
      CHECK(due >= 9);
      CHECK(due <= 11);
      left -= due;
    }
    CHECK(pace.due(left, begin + 10s, never) == left);
    CHECK(left < 100);
  }

  TEST_CASE("one client goes at any tick, each as likely as another") {
    // Over all ticks the chance to be left is the product of the chances to be left at each.
    for (const auto tick : {1, 100, 400}) {
      DrainPace pace(begin, 10s);
      auto now = begin;
      for (int i = 1; i < tick; ++i) CHECK(pace.due(1, now += 20ms, never) == 0);
      // Of 500 ticks, tick - 1 are over: its share of those left is 1 of 501 - tick.
      const double chance = 1.0 / (501 - tick);
      CHECK(pace.due(1, now + 20ms, static_cast<std::uint32_t>(chance * 1.01 * 0x1p32)) == 0);
      DrainPace again(begin, 10s);
      now = begin;
      for (int i = 1; i < tick; ++i) again.due(1, now += 20ms, never);
      CHECK(again.due(1, now + 20ms, static_cast<std::uint32_t>(chance * 0.99 * 0x1p32)) == 1);
    }
  }

  TEST_CASE("a tick that comes late makes up for those that were missed") {
    DrainPace pace(begin, 10s);
    CHECK(pace.due(1'000, begin + 5s, never) == 500);
    CHECK(pace.due(500, begin + 5s, always) == 0);
    CHECK(pace.due(500, begin + 11s, never) == 500);
  }

  TEST_CASE("without a spread all are due at once") {
    DrainPace pace(begin, 0s);
    CHECK(pace.over(begin));
    CHECK(pace.due(7, begin, never) == 7);
  }

  TEST_CASE("nobody is due where nobody is left") {
    DrainPace pace(begin, 10s);
    CHECK(pace.due(0, begin + 1s, always) == 0);
    CHECK(pace.due(0, begin + 10s, always) == 0);
  }
}
