#include "auth/json.h"

#include <string>

#include <doctest/doctest.h>

using auth::JsonError;
using auth::parse_json_object;

namespace {

std::string nested(std::size_t depth) {
  // The object itself is the first level.
  return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

bool refused_as(std::string_view text, JsonError error) {
  const auto parsed = parse_json_object(text);
  return !parsed && parsed.error() == error;
}

}  // namespace

TEST_SUITE("JSON that decides about trust") {
  TEST_CASE("one object is read, and nothing that is not one") {
    CHECK(parse_json_object("{}"));
    CHECK(parse_json_object(" {\"a\":1}\r\n"));
    for (const char* text : {"", "[]", "1", "\"a\"", "null", "{", "{}{}", "{} x", "{\"a\":1,}",
                             "{'a':1}", "{\"a\":01}", "{\"a\":NaN}", "{\"a\":Infinity}",
                             "\xef\xbb\xbf{}", "{\"a\":\"\t\"}", "// a\n{}"}) {
      CAPTURE(text);
      CHECK(refused_as(text, JsonError::Malformed));
    }
  }

  TEST_CASE("a name that comes twice is refused at every depth, however it is written") {
    CHECK(refused_as(R"({"a":1,"a":1})", JsonError::DuplicateName));
    CHECK(refused_as(R"({"a":1,"\u0061":1})", JsonError::DuplicateName));
    CHECK(refused_as(R"({"x":[{"a":1,"b":2,"a":3}]})", JsonError::DuplicateName));
    CHECK(parse_json_object(R"({"a":{"a":1},"A":2})"));
  }

  TEST_CASE("strings are UTF-8 without NUL") {
    CHECK(parse_json_object("{\"a\":\"h\xc3\xa9\"}"));
    CHECK(refused_as("{\"a\":\"\xff\"}", JsonError::Malformed));
    CHECK(refused_as("{\"a\":\"\xc0\xaf\"}", JsonError::Malformed));
    CHECK(refused_as(R"({"a":"\u0000"})", JsonError::Malformed));
    CHECK(refused_as(R"({"a\u0000b":1})", JsonError::Malformed));
    CHECK(refused_as(std::string_view("{\"a\":1}\0", 8), JsonError::Malformed));
    CHECK(refused_as(R"({"a":"\ud800"})", JsonError::Malformed));
  }

  TEST_CASE("a number out of range is refused, not rounded") {
    CHECK(parse_json_object(R"({"a":9223372036854775807})"));
    CHECK(refused_as(R"({"a":9223372036854775808})", JsonError::Malformed));
    CHECK(parse_json_object(R"({"a":1e308})"));
    CHECK(refused_as(R"({"a":1e309})", JsonError::Malformed));
  }

  TEST_CASE("nesting ends at its bound") {
    CHECK(parse_json_object(nested(auth::json_depth_max)));
    CHECK(refused_as(nested(auth::json_depth_max + 1), JsonError::TooDeep));
    CHECK(refused_as(std::string(100'000, '['), JsonError::TooDeep));
    CHECK(refused_as("{\"a\":" + std::string(100'000, '['), JsonError::TooDeep));
  }

  TEST_CASE("brackets in a string are no nesting") {
    CHECK(parse_json_object(R"({"a":")" + std::string(1000, '[') + R"("})"));
    CHECK(parse_json_object(R"({"a":"\"[[\\","b":")" + std::string(1000, '{') + R"("})"));
    CHECK(refused_as(R"({"a":"\\","b":)" + std::string(1000, '[') + "}", JsonError::TooDeep));
  }

  TEST_CASE("siblings are no nesting") {
    std::string text = R"({"a":[)";
    for (int count = 0; count < 1000; ++count) text += "[],{},";
    CHECK(parse_json_object(text + "0]}"));
  }
}
