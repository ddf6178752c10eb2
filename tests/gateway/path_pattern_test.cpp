#include "gateway/path_pattern.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using gateway::PathPattern;

namespace {

// What the pattern captured, as "name=value name=value"; "no": it does not fit.
std::string match(std::string_view pattern, std::string_view path) {
  auto parsed = PathPattern::parse(pattern);
  REQUIRE(parsed);
  std::vector<std::pair<std::string_view, std::string_view>> captures;
  if (!parsed->matches(path, captures)) {
    CHECK(captures.empty());
    return "no";
  }
  std::string text;
  for (const auto& [name, value] : captures) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  }
  return text;
}

bool covers(std::string_view earlier, std::string_view later) {
  return PathPattern::parse(earlier)->covers(*PathPattern::parse(later));
}

}  // namespace

TEST_SUITE("paths of routes") {
  TEST_CASE("an exact path fits itself alone") {
    CHECK(match("/chat", "/chat") == "");
    for (const char* path :
         {"/chat/", "/Chat", "/chatx", "/cha", "/", "", "chat", "/chat/x", "//chat"}) {
      CAPTURE(path);
      CHECK(match("/chat", path) == "no");
    }
    CHECK(match("/", "/") == "");
    CHECK(match("/", "/a") == "no");
    CHECK(match("/chat/", "/chat/") == "");
    CHECK(match("/chat/", "/chat") == "no");
  }

  TEST_CASE("a prefix fits what begins with it, up to and with its '/'") {
    CHECK(match("/app/*", "/app/") == "");
    CHECK(match("/app/*", "/app/x") == "");
    CHECK(match("/app/*", "/app/x/y/") == "");
    CHECK(match("/app/*", "/app") == "no");
    CHECK(match("/app/*", "/apple") == "no");
    CHECK(match("/app/*", "/ap/x") == "no");
    CHECK(match("/*", "/") == "");
    CHECK(match("/*", "/a/b") == "");
  }

  TEST_CASE("a capture is one whole segment that is not empty") {
    CHECK(match("/teams/{team}", "/teams/a") == "team=a");
    CHECK(match("/teams/{team}", "/teams/") == "no");
    CHECK(match("/teams/{team}", "/teams/a/b") == "no");
    CHECK(match("/{a}/x/{b_2}/*", "/1/x/2/3/4") == "a=1 b_2=2");
    CHECK(match("/{a}/x", "/1/y") == "no");
    CHECK(match("/{a}/{b}", "/1/") == "no");
  }

  TEST_CASE("captures that were there before stay where a path does not fit") {
    auto pattern = PathPattern::parse("/{a}/x");
    REQUIRE(pattern);
    std::vector<std::pair<std::string_view, std::string_view>> captures{{"kept", "value"}};
    CHECK_FALSE(pattern->matches("/1/y", captures));
    CHECK(captures.size() == 1);
    CHECK(pattern->matches("/1/x", captures));
    CHECK(captures.size() == 2);
  }

  TEST_CASE("other shapes are faults") {
    for (const char* text :
         {"",       "chat",     "*",     "/a*",  "/*a",   "/*/a",  "/a/**", "//",    "//a",
          "/a//b",  "/./a",     "/a/..", "/{}",  "/{a",   "/a}",   "/x{a}", "/{a}x", "/{1a}",
          "/{a-b}", "/{a}/{a}", "/a?b",  "/a#b", "/a\\b", "/a\nb", "/%41",  "/%2f"}) {
      CAPTURE(text);
      CHECK_FALSE(PathPattern::parse(text));
    }
    CHECK(PathPattern::parse("/100%"));
    CHECK(PathPattern::parse("/é"));
  }

  TEST_CASE("captures and octets are bounded") {
    CHECK(PathPattern::parse("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}"));
    CHECK_FALSE(PathPattern::parse("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}"));
    CHECK(PathPattern::parse("/" + std::string(PathPattern::octets_max - 1, 'a')));
    CHECK_FALSE(PathPattern::parse("/" + std::string(PathPattern::octets_max, 'a')));
  }

  TEST_CASE("a pattern covers another if it fits all that the other does") {
    CHECK(covers("/a", "/a"));
    CHECK(covers("/{x}", "/a"));
    CHECK(covers("/{x}", "/{y}"));
    CHECK(covers("/*", "/a/b/*"));
    CHECK(covers("/*", "/"));
    CHECK(covers("/a/*", "/a/*"));
    CHECK(covers("/a/*", "/a/"));
    CHECK(covers("/{x}/*", "/a/b"));
    CHECK_FALSE(covers("/a", "/{x}"));
    CHECK_FALSE(covers("/a", "/b"));
    CHECK_FALSE(covers("/a/*", "/a"));
    CHECK_FALSE(covers("/a/*", "/*"));
    CHECK_FALSE(covers("/{x}", "/"));  // a capture is not empty
    CHECK_FALSE(covers("/a/{x}", "/a/*"));
    CHECK_FALSE(covers("/a/b", "/a/*"));
    CHECK_FALSE(covers("/a/b/*", "/a/*"));
  }
}
