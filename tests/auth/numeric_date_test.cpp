#include "auth/numeric_date.h"

#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "tests/auth/json_text.h"

namespace {

std::optional<long long> milliseconds_of(std::string_view json_value) {
  const auth::Claims found = tests::claims("{\"v\":" + std::string(json_value) + "}");
  const auto date = auth::numeric_date(found.find("v"));
  if (!date) return std::nullopt;
  return date->time_since_epoch().count();
}

constexpr long long last_of_year_9999 = 253'402'300'799'000;

}  // namespace

TEST_SUITE("RFC 7519 section 2: NumericDate") {
  TEST_CASE("integers and reals are seconds") {
    CHECK(milliseconds_of("0") == 0);
    CHECK(milliseconds_of("1300819380") == 1'300'819'380'000);
    CHECK(milliseconds_of("1300819380.5") == 1'300'819'380'500);
    CHECK(milliseconds_of("1.3e9") == 1'300'000'000'000);
    CHECK(milliseconds_of("-1") == -1000);
    CHECK(milliseconds_of("0.0009") == 0);
    CHECK(milliseconds_of("-0.0009") == -1);
  }

  TEST_CASE("what is too far away stays at the border and overflows nothing") {
    CHECK(milliseconds_of("253402300799") == last_of_year_9999);
    CHECK(milliseconds_of("253402300800") == last_of_year_9999);
    CHECK(milliseconds_of("9223372036854775807") == last_of_year_9999);
    CHECK(milliseconds_of("-9223372036854775808") == -last_of_year_9999);
    CHECK(milliseconds_of("1e308") == last_of_year_9999);
    CHECK(milliseconds_of("-1e308") == -last_of_year_9999);
  }

  TEST_CASE("what is no number is no date") {
    for (const char* value : {R"("1300819380")", "true", "null", "[1300819380]", "{}", R"("")"}) {
      CAPTURE(value);
      CHECK_FALSE(milliseconds_of(value));
    }
    CHECK_FALSE(auth::numeric_date(nullptr));
  }
}
