#include "auth/scalar.h"

#include <cmath>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "tests/auth/json_text.h"

using auth::Scalar;

namespace {

bool is(std::string_view json_value, const Scalar& scalar) {
  const auth::Claims found = tests::claims("{\"v\":" + std::string(json_value) + "}");
  return auth::equal(found.find("v"), scalar);
}

Scalar text(std::string value) { return Scalar(std::move(value)); }
Scalar integer(std::int64_t value) { return Scalar(value); }

}  // namespace

TEST_SUITE("Scalars: exact and typed") {
  TEST_CASE("a string equals the same octets") {
    CHECK(is(R"("pro")", text("pro")));
    CHECK(is(R"("\u0070ro")", text("pro")));
    CHECK(is(R"("")", text("")));
    CHECK_FALSE(is(R"("Pro")", text("pro")));
    CHECK_FALSE(is(R"("pro ")", text("pro")));
    CHECK_FALSE(is("\"e\xcc\x81\"", text("\xc3\xa9")));  // one letter, two ways to write it
  }

  TEST_CASE("nothing equals a value of another type") {
    CHECK(is("1", integer(1)));
    CHECK_FALSE(is(R"("1")", integer(1)));
    CHECK_FALSE(is("true", integer(1)));
    CHECK_FALSE(is("1", text("1")));
    CHECK_FALSE(is("1", Scalar(true)));
    CHECK_FALSE(is("0", Scalar(false)));
    CHECK_FALSE(is(R"("true")", Scalar(true)));
    CHECK_FALSE(is("null", Scalar(false)));
    CHECK_FALSE(is("null", text("")));
    CHECK_FALSE(is("0", Scalar(nullptr)));
  }

  TEST_CASE("true, false and null equal themselves") {
    CHECK(is("true", Scalar(true)));
    CHECK(is("false", Scalar(false)));
    CHECK(is("null", Scalar(nullptr)));
    CHECK_FALSE(is("false", Scalar(true)));
    CHECK_FALSE(is("true", Scalar(false)));
    CHECK_FALSE(is("true", Scalar(nullptr)));
  }

  TEST_CASE("an integer and a real are equal when they are the same number") {
    CHECK(is("1.0", integer(1)));
    CHECK(is("1", Scalar(1.0)));
    CHECK(is("1.5", Scalar(1.5)));
    CHECK(is("-0.0", integer(0)));
    CHECK_FALSE(is("1.5", integer(1)));
    CHECK_FALSE(is("1", Scalar(1.5)));
    // 2^53 + 1 is no double: rounding would make it equal to 2^53.
    CHECK_FALSE(is("9007199254740993", Scalar(9007199254740992.0)));
    CHECK(is("9007199254740992", Scalar(9007199254740992.0)));
    CHECK_FALSE(is("9223372036854775807", Scalar(0x1p63)));
    CHECK_FALSE(is("1e300", integer(std::numeric_limits<std::int64_t>::max())));
    CHECK(is("-9223372036854775808", Scalar(-0x1p63)));
    CHECK_FALSE(is("0", Scalar(std::nan(""))));
  }

  TEST_CASE("an array or an object equals no scalar, nor does a claim that is not there") {
    CHECK_FALSE(is(R"(["a"])", text("a")));
    CHECK_FALSE(is(R"({"a":1})", integer(1)));
    CHECK_FALSE(is("[]", Scalar(nullptr)));
    for (const Scalar& scalar :
         {text(""), integer(0), Scalar(false), Scalar(nullptr), Scalar(0.0)}) {
      CHECK_FALSE(auth::equal(nullptr, scalar));
    }
  }
}
