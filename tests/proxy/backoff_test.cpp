#include "proxy/backoff.h"

#include <doctest/doctest.h>

using namespace proxy;
using namespace std::chrono_literals;

TEST_SUITE("backoff") {
  TEST_CASE("each wait is twice the one before, up to the longest") {
    Backoff backoff(100ms, 1s);
    for (const auto whole : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
      const auto wait = backoff.next(0xFFFFFFFF);
      CHECK(wait <= whole);
      CHECK(wait > whole - 1ms);
    }
  }

  TEST_CASE("nobody waits less than half of it, and chance decides about the rest") {
    Backoff backoff(100ms, 100ms);
    CHECK(backoff.next(0) == 50ms);
    CHECK(backoff.next(0x80000000) == 75ms);
  }

  TEST_CASE("after a success it begins again") {
    Backoff backoff(100ms, 1s);
    backoff.next(0);
    backoff.next(0);
    backoff.reset();
    CHECK(backoff.next(0) == 50ms);
  }
}
