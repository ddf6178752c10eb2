#include "proxy/service_notice.h"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using proxy::watchdog_interval;

TEST_SUITE("what a service manager wants to hear") {
  TEST_CASE("a sign of life as often as it says") {
    CHECK(watchdog_interval("30000000", nullptr, 7) == 30s);
    CHECK(watchdog_interval("30000000", "7", 7) == 30s);
    CHECK(watchdog_interval("18446744073709551615", nullptr, 7) == 24h);
  }

  TEST_CASE("none where it does not ask, asks another process, or says no number") {
    CHECK_FALSE(watchdog_interval(nullptr, nullptr, 7));
    CHECK_FALSE(watchdog_interval("30000000", "8", 7));
    for (const auto* text : {"", "0", "-1", "30s", "18446744073709551616", " 1"}) {
      CHECK_FALSE(watchdog_interval(text, nullptr, 7));
    }
    CHECK_FALSE(watchdog_interval("30000000", "", 7));
  }
}
