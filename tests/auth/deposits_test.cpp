#include "auth/deposits.h"

#include <string>

#include <doctest/doctest.h>

using namespace auth;
using namespace std::chrono_literals;
using Kept = Deposits::Kept;

namespace {

constexpr WallTime now{std::chrono::seconds(1'790'000'000)};
constexpr std::size_t plenty = 1 << 20;

}  // namespace

TEST_SUITE("what serves once") {
  TEST_CASE("is kept under its name, and whoever comes second is told so") {
    Deposits deposits(plenty);
    CHECK(deposits.keep("a", "", now + 10s, now) == Kept::Kept);
    CHECK(deposits.keep("a", "", now + 10s, now) == Kept::Known);
    CHECK(deposits.keep("b", "", now + 10s, now) == Kept::Kept);
    CHECK(deposits.size() == 2);
  }

  TEST_CASE("is forgotten at its end, and may be kept again") {
    Deposits deposits(plenty);
    deposits.keep("a", "", now + 10s, now);
    CHECK(deposits.keep("a", "", now + 20s, now + 10s - 1ms) == Kept::Known);
    CHECK(deposits.keep("a", "", now + 20s, now + 10s) == Kept::Kept);
    CHECK(deposits.keep("a", "", now + 20s, now + 15s) == Kept::Known);
    CHECK(deposits.size() == 1);
  }

  TEST_CASE("is given out once") {
    Deposits deposits(plenty);
    deposits.keep("a", "text", now + 10s, now);
    CHECK(deposits.take("b", now) == std::nullopt);
    CHECK(deposits.take("a", now + 10s - 1ms) == "text");
    CHECK(deposits.take("a", now) == std::nullopt);
    CHECK(deposits.size() == 0);
    CHECK(deposits.octets() == 0);
  }

  TEST_CASE("is given to nobody from its end on, though nobody has come to forget it") {
    Deposits deposits(plenty);
    deposits.keep("a", "text", now + 10s, now);
    CHECK(deposits.take("a", now + 10s) == std::nullopt);
    CHECK(deposits.octets() == 0);
  }

  TEST_CASE(
      "finds no room where there is too much already, until some of it has ended or is taken") {
    const std::size_t each = Deposits::octets_each + 1 + 10;
    Deposits deposits(3 * each);
    const std::string text(10, 'x');
    CHECK(deposits.keep("a", text, now + 10s, now) == Kept::Kept);
    CHECK(deposits.keep("b", text, now + 20s, now) == Kept::Kept);
    CHECK(deposits.keep("c", text, now + 20s, now) == Kept::Kept);
    CHECK(deposits.octets() == 3 * each);
    CHECK(deposits.keep("d", text, now + 20s, now) == Kept::Full);
    CHECK(deposits.keep("a", text, now + 20s, now) == Kept::Known);
    CHECK(deposits.keep("d", text, now + 20s, now + 10s) == Kept::Kept);
    CHECK(deposits.keep("e", text, now + 20s, now + 10s) == Kept::Full);
    CHECK(deposits.take("c", now + 10s) == text);
    CHECK(deposits.keep("e", text, now + 20s, now + 10s) == Kept::Kept);
  }

  TEST_CASE("costs whoever comes no more than a few of those that have ended") {
    Deposits deposits(plenty);
    const std::size_t count = 3 * Deposits::forgotten_at_a_time;
    for (std::size_t i = 0; i < count; ++i) {
      deposits.keep(std::to_string(i), "", now + 1s, now);
    }
    deposits.keep("a", "", now + 20s, now + 10s);
    CHECK(deposits.size() == count - Deposits::forgotten_at_a_time + 1);
    deposits.keep("b", "", now + 20s, now + 10s);
    deposits.keep("c", "", now + 20s, now + 10s);
    CHECK(deposits.size() == 3);
  }
}
