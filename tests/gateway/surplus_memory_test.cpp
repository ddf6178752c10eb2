#include "gateway/surplus_memory.h"

#include <doctest/doctest.h>

using gateway::Crowd;

namespace {

// In how many of the seconds with so many connections a crowd is said to have gone.
int times(Crowd& crowd, int seconds, std::uint32_t connections) {
  int said = 0;
  for (int i = 0; i < seconds; ++i) said += crowd.has_gone(connections) ? 1 : 0;
  return said;
}

}  // namespace

TEST_SUITE("a crowd of connections") {
  TEST_CASE("has gone when half of it has stayed away for some seconds, and that once") {
    Crowd crowd;
    CHECK(times(crowd, 100, 3'000) == 0);
    CHECK(times(crowd, Crowd::calm_seconds - 1, 1'500) == 0);
    CHECK(crowd.has_gone(1'500));
    CHECK(times(crowd, 100, 1'500) == 0);
    CHECK(times(crowd, Crowd::calm_seconds, 750) == 1);
  }

  TEST_CASE("has not gone while more than half of it is there") {
    Crowd crowd;
    CHECK(times(crowd, 1, 3'000) == 0);
    CHECK(times(crowd, 100, 1'501) == 0);
  }

  TEST_CASE("that comes back in between has not gone") {
    Crowd crowd;
    for (int i = 0; i < 10; ++i) {
      CHECK(times(crowd, 1, 3'000) == 0);
      CHECK(times(crowd, Crowd::calm_seconds - 1, 0) == 0);
    }
    CHECK(times(crowd, 1, 0) == 1);
  }

  TEST_CASE("is one from a size on") {
    Crowd few;
    CHECK(times(few, 1, Crowd::size_min - 1) == 0);
    CHECK(times(few, 100, 0) == 0);
    Crowd many;
    CHECK(times(many, 1, Crowd::size_min) == 0);
    CHECK(times(many, 100, 0) == 1);
  }
}
