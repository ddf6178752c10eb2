#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <jansson.h>

#include "auth/json_pointer.h"
#include "auth/principal.h"
#include "tests/auth/json_text.h"

using tests::claims;

TEST_SUITE("RFC 6901: JSON Pointer") {
  TEST_CASE("the examples of section 5") {
    const auto document = tests::json(R"({
      "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
      "k\"l": 6, " ": 7, "m~n": 8 })");
    const auto integer = [&](std::string_view pointer) {
      const json_t* value = auth::find_by_pointer(document.get(), pointer);
      return value != nullptr && json_is_integer(value) ? json_integer_value(value) : -1;
    };
    CHECK(auth::find_by_pointer(document.get(), "") == document.get());
    CHECK(json_is_array(auth::find_by_pointer(document.get(), "/foo")));
    CHECK(auth::string_of(auth::find_by_pointer(document.get(), "/foo/0")) == "bar");
    CHECK(integer("/") == 0);
    CHECK(integer("/a~1b") == 1);
    CHECK(integer("/c%d") == 2);
    CHECK(integer("/e^f") == 3);
    CHECK(integer("/g|h") == 4);
    CHECK(integer("/i\\j") == 5);
    CHECK(integer("/k\"l") == 6);
    CHECK(integer("/ ") == 7);
    CHECK(integer("/m~0n") == 8);
  }

  TEST_CASE("what is not there, or no pointer, finds nothing") {
    const auto document = tests::json(R"({"a":["x","y"],"b":{"c":1},"~":1,"~1":2,"d":"text"})");
    for (const char* pointer :
         {"a", "/x", "/a/2", "/a/-", "/a/00", "/a/01", "/a/+1", "/a/ 1", "/a/1x", "/a/", "/a/-1",
          "/a/18446744073709551616", "/b/c/d", "/d/0", "/~", "/~2", "/b/~", "/a/0/0"}) {
      CAPTURE(pointer);
      CHECK(auth::find_by_pointer(document.get(), pointer) == nullptr);
    }
    CHECK(json_integer_value(auth::find_by_pointer(document.get(), "/~01")) == 2);
    CHECK(auth::find_by_pointer(nullptr, "/a") == nullptr);
  }
}

TEST_SUITE("Claims") {
  TEST_CASE("a name finds exactly that claim, slashes and dots in it too") {
    const auth::Claims found = claims(R"({"https://example.com/roles":["a"],"a.b":1,"a":{"b":2}})");
    CHECK(json_is_array(found.find("https://example.com/roles")));
    CHECK(json_integer_value(found.find("a.b")) == 1);
    CHECK(found.find("A.b") == nullptr);
    CHECK(found.find("") == nullptr);
  }

  TEST_CASE("a name that begins with a slash is a pointer") {
    const auth::Claims found = claims(R"({"realm":{"roles":["a","b"]},"/odd":1})");
    CHECK(auth::string_of(found.find("/realm/roles/1")) == "b");
    CHECK(found.find("/odd") == nullptr);
    CHECK(json_integer_value(found.find("/~1odd")) == 1);
  }

  TEST_CASE("claims of nobody are an empty object") {
    const auth::Claims none;
    CHECK(none.find("sub") == nullptr);
    CHECK(none.find("/sub") == nullptr);
    CHECK(none.to_json() == "{}");
    CHECK(none.to_json(std::vector<std::string>{"sub"}) == "{}");
  }

  TEST_CASE("all claims are said on as the token wrote them") {
    const auto* text = R"({ "b" : [1, 2.5, null], "a" : {"x": true} })";
    CHECK(claims(text).to_json() == text);
  }

  TEST_CASE("only the claims named, in the order named; what is missing is left out") {
    const auth::Claims found = claims(R"({"a":1,"b":{"c":[true]},"d":"x"})");
    CHECK(found.to_json(std::vector<std::string>{"d", "none", "/b/c", "a"}) ==
          R"({"d":"x","/b/c":[true],"a":1})");
    CHECK(found.to_json(std::vector<std::string>{}) == "{}");
    CHECK(found.to_json(std::vector<std::string>{"a", "d", "a"}) == R"({"a":1,"d":"x"})");
    CHECK(found.to_json(std::vector<std::string>{"\xff", "a"}) == R"({"a":1})");
    CHECK(found.to_json() == R"({"a":1,"b":{"c":[true]},"d":"x"})");
  }

  TEST_CASE("a name is escaped as JSON is") {
    CHECK(claims(R"({"a\"\n":"\"\u0001"})").to_json(std::vector<std::string>{"a\"\n"}) ==
          R"({"a\"\n":"\"\u0001"})");
  }

  TEST_CASE("a claim lives as long as any copy of the claims") {
    auth::Claims copy;
    {
      const auth::Claims original = claims(R"({"a":"here"})");
      copy = original;
    }
    CHECK(auth::string_of(copy.find("a")) == "here");
  }
}
