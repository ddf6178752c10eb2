#include "auth/timestamp.h"

#include <chrono>

#include <doctest/doctest.h>

using namespace auth;
using namespace std::chrono_literals;

TEST_SUITE("Timestamps (RFC 3339)") {
  TEST_CASE("date, time and offset, to the millisecond") {
    auto epoch = [](auto duration) { return WallTime(duration); };
    CHECK(parse_timestamp("1970-01-01T00:00:00Z") == epoch(0ms));
    CHECK(parse_timestamp("1970-01-02T00:00:01.9Z") == epoch(24h + 1900ms));
    CHECK(parse_timestamp("1970-01-01T00:00:00.0125Z") == epoch(12ms));
    CHECK(parse_timestamp("1970-01-01T00:00:00.12345678901234567890Z") == epoch(123ms));
    CHECK(parse_timestamp("1970-01-01T02:00:00+02:00") == epoch(0ms));
    CHECK(parse_timestamp("1969-12-31T19:30:00-04:30") == epoch(0ms));
    CHECK(parse_timestamp("2028-02-29T23:59:59Z"));
    for (const char* text :
         {"2027-01-01", "2027-01-01 00:00:00Z", "2027-01-01T00:00:00", "2027-02-29T00:00:00Z",
          "2027-13-01T00:00:00Z", "2027-01-01T24:00:00Z", "2027-01-01T00:60:00Z",
          "2027-01-01T00:00:60Z", "2027-01-01T00:00:00.Z", "2027-01-01T00:00:00+25:00",
          "2027-01-01T00:00:00+0100", "2027-01-01T00:00:00Zx", "27-01-01T00:00:00Z", "tomorrow",
          ""}) {
      CAPTURE(text);
      CHECK_FALSE(parse_timestamp(text));
    }
  }
}
