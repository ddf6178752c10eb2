#include "gateway/lifetime.h"

#include <doctest/doctest.h>

using namespace std::chrono_literals;

namespace tests {

namespace {

using gateway::Lifetime;
using Due = Lifetime::Due;

constexpr proxy::Instant begin{proxy::MonotonicTime{1000s},
                               proxy::WallTime{std::chrono::seconds(1'700'000'000)}};

auth::WallTime in(std::chrono::milliseconds time) {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(begin.wall) + time;
}

// `step`: of the wall clock, besides.
proxy::Instant after(proxy::Duration time, proxy::Duration step = {}) {
  return {begin.monotonic + time, begin.wall + time + step};
}

const gateway::LifetimeRules plain{.warn = 30s, .grace = 0s, .session_max = 24h};

}  // namespace

TEST_SUITE("a connection's lifetime") {
  TEST_CASE("a client is warned, and its token ends, at the time and not before") {
    Lifetime lifetime(in(60s), begin);
    CHECK(lifetime.due(plain, after(29'999ms)) == Due::Nothing);
    CHECK(lifetime.due(plain, after(30s)) == Due::Warning);
    lifetime.set_warned();
    CHECK(lifetime.due(plain, after(30s)) == Due::Nothing);
    CHECK(lifetime.due(plain, after(59'999ms)) == Due::Nothing);
    CHECK(lifetime.due(plain, after(60s)) == Due::TokenEnd);
  }

  TEST_CASE("grace lets the connection live behind the token's end, and not a moment longer") {
    const gateway::LifetimeRules rules{.warn = 0s, .grace = 5s, .session_max = 24h};
    Lifetime lifetime(in(60s), begin);
    CHECK(lifetime.due(rules, after(60s)) == Due::Nothing);
    CHECK(lifetime.due(rules, after(64'999ms)) == Due::Nothing);
    CHECK(lifetime.due(rules, after(65s)) == Due::TokenEnd);
    CHECK(lifetime.left(after(62s)) == -2s);
  }

  TEST_CASE("without a warning nobody is warned") {
    const gateway::LifetimeRules rules{.warn = 0s, .grace = 0s, .session_max = 24h};
    Lifetime lifetime(in(1s), begin);
    CHECK(lifetime.due(rules, after(999ms)) == Due::Nothing);
  }

  TEST_CASE("whichever clock gets there first decides, in both directions") {
    Lifetime lifetime(in(2h), begin);
    lifetime.set_warned();
    CHECK(lifetime.due(plain, after(1s, 1h)) == Due::Nothing);
    CHECK(lifetime.due(plain, after(1h, 1h - 1ms)) == Due::Nothing);
    CHECK(lifetime.due(plain, after(1h, 1h)) == Due::TokenEnd);
    CHECK(lifetime.due(plain, after(2h - 1ms, -1h)) == Due::Nothing);
    CHECK(lifetime.due(plain, after(2h, -1h)) == Due::TokenEnd);
  }

  TEST_CASE("a step of the wall clock brings the warning, too, with what is left by it") {
    Lifetime lifetime(in(2h), begin);
    const auto stepped = after(1h, 1h - 20s);
    CHECK(lifetime.due(plain, stepped) == Due::Warning);
    CHECK(lifetime.left(stepped) == 20s);
  }

  TEST_CASE("another token has its own end, sooner or later, and its own warning") {
    Lifetime lifetime(in(60s), begin);
    lifetime.set_warned();
    lifetime.renew(in(120s), after(50s));
    CHECK(lifetime.due(plain, after(89'999ms)) == Due::Nothing);
    CHECK(lifetime.due(plain, after(90s)) == Due::Warning);
    lifetime.renew(in(70s), after(60s));
    CHECK(lifetime.due(plain, after(60s)) == Due::Warning);
    CHECK(lifetime.due(plain, after(70s)) == Due::TokenEnd);
    CHECK(lifetime.good_until() == in(70s));
  }

  TEST_CASE("max_session is of the connection, whatever is refreshed and however long a token is") {
    const gateway::LifetimeRules rules{.warn = 30s, .grace = 1h, .session_max = 100s};
    Lifetime lifetime(in(60s), begin);
    lifetime.renew(in(2h), after(50s));
    CHECK(lifetime.due(rules, after(99'999ms)) == Due::Nothing);
    CHECK(lifetime.due(rules, after(100s)) == Due::SessionEnd);
    CHECK(lifetime.due(rules, after(100s, -1h)) == Due::SessionEnd);
    CHECK(lifetime.due(rules, after(50s, 50s)) == Due::Nothing);
  }

  TEST_CASE("what has no end is ended by max_session alone") {
    Lifetime lifetime({}, begin);
    CHECK_FALSE(lifetime.good_until());
    CHECK(lifetime.due(plain, after(24h - 1ms, 24h * 10'000)) == Due::Nothing);
    CHECK(lifetime.due(plain, after(24h)) == Due::SessionEnd);
    CHECK(lifetime.wait(plain, after(1h)) == 23h);
  }

  TEST_CASE("an end that is further away than the clocks can tell is no end before its time") {
    Lifetime lifetime(auth::WallTime(std::chrono::years(8000)), begin);
    CHECK(lifetime.due(plain, after(1h)) == Due::Nothing);
    CHECK(lifetime.wait(plain, begin) == 24h);
  }

  TEST_CASE("the wait is for what comes next") {
    Lifetime lifetime(in(60s), begin);
    const gateway::LifetimeRules rules{.warn = 30s, .grace = 5s, .session_max = 62s};
    CHECK(lifetime.wait(rules, begin) == 30s);
    CHECK(lifetime.wait(rules, after(40s)) == 0s);
    lifetime.set_warned();
    CHECK(lifetime.wait(rules, after(30s)) == 32s);
    CHECK(lifetime.wait({.warn = 30s, .grace = 5s, .session_max = 24h}, after(30s)) == 35s);
    CHECK(lifetime.wait(rules, after(90s)) == 0s);
  }
}

}  // namespace tests
