#include "auth/json.h"

#include <random>
#include <string>
#include <string_view>
#include <utility>

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

// As jansson's own reader, the strictest that there is here, reads it; null: it refuses.
auth::OwnedJson read_by_jansson(std::string_view text) {
  auth::OwnedJson value(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, nullptr));
  return json_is_object(value.get()) ? std::move(value) : nullptr;
}

bool read_alike(std::string_view text) {
  const auto ours = parse_json_object(text);
  const auto theirs = read_by_jansson(text);
  if (!ours || !theirs) return !ours && !theirs;
  return json_equal(ours->get(), theirs.get()) == 1;
}

// One octet replaced, removed, doubled or moved: what a text looks like that is nearly JSON.
std::string mutated(std::string text, std::minstd_rand& random) {
  constexpr std::string_view octets("{}[]\",:\\u0d8cDfFeE+-.19 \t\n\x7f\x80\xc3\xa9\xed\xa0\xff");
  for (auto changes = 1 + random() % 3; changes > 0 && !text.empty(); --changes) {
    const auto at = random() % text.size();
    switch (random() % 4) {
      case 0:
        text[at] = octets[random() % octets.size()];
        break;
      case 1:
        text.erase(at, 1);
        break;
      case 2:
        text.insert(at, 1, octets[random() % octets.size()]);
        break;
      default:
        text.insert(random() % text.size(), text.substr(at, random() % 16));
        break;
    }
  }
  return text;
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
    // jansson overlooks a NUL behind a number or a literal.
    CHECK(refused_as(std::string_view("{\"a\":1\0}", 8), JsonError::Malformed));
    CHECK(refused_as(std::string_view("{\"a\":1\0x}", 9), JsonError::Malformed));
    CHECK(refused_as(std::string_view("{\"a\":null\0,\"b\":1}", 17), JsonError::Malformed));
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
    CHECK(refused_as(nested(100'000), JsonError::TooDeep));
    CHECK_FALSE(parse_json_object(std::string(100'000, '[')));
    CHECK_FALSE(parse_json_object("{\"a\":" + std::string(100'000, '[')));
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

  TEST_CASE("what is read, and what is refused, is what jansson reads and refuses") {
    for (const char* text : {
             R"({"a":"\ud83d\ude00\u00e9\b\f\n\r\t\/\\\""})",
             R"({"a":"\udc00"})",
             R"({"a":"\ud800\u0041"})",
             R"({"a":"\ud800\ud800"})",
             R"({"\udfff":1})",
             R"({"a":"\uffff\ufffe"})",
             R"({"":1})",
             R"({"a":-0})",
             R"({"a":-0.0})",
             R"({"a":-9223372036854775808})",
             R"({"a":-9223372036854775809})",
             R"({"a":18446744073709551615})",
             R"({"a":18446744073709551616})",
             R"({"a":1.7976931348623157e308})",
             R"({"a":1e-400})",
             R"({"a":123456789012345678901234567890.5})",
             R"({"a":0.1})",
             R"({"a":1E+2})",
             R"({"a":1.})",
             R"({"a":.1})",
             R"({"a":+1})",
             R"({"a":1e})",
             R"({"a":tru})",
             R"({"a":nullx})",
             R"({"a":True})",
             "{\"a\":\"\x7f\"}",
             "{\"a\":\"\xed\xa0\x80\"}",
             "{\"a\":\"\xf4\x90\x80\x80\"}",
             "{\"a\":\"\xf0\x9f\x98\x80\"}",
             "{\"a\":1}\f",
         }) {
      CAPTURE(text);
      CHECK(read_alike(text));
    }
  }

  TEST_CASE("so it is with texts that are nearly JSON") {
    std::minstd_rand random(7);
    for (const std::string seed : {
             R"({"iss":"https://id.test/","aud":["a","b"],"sub":"user","exp":1735689600})",
             R"({"a":"\ud83d\ude00","b":[-1.5e+3,0,true,false,null],"c":{"d":{}}})",
             R"({"aa":9223372036854775807,"ab":[[],{}],"ac":"\u00e9h\u0001"})",
         }) {
      for (int count = 0; count < 5000; ++count) {
        const auto text = mutated(seed, random);
        if (!read_alike(text)) FAIL_CHECK("read differently: ", text);
      }
    }
  }
}
