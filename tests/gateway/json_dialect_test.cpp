#include "gateway/json_dialect.h"

#include <doctest/doctest.h>

using namespace gateway;

namespace {

std::vector<std::string> names_of(std::string_view text) {
  const auto path = parse_json_path(text);
  REQUIRE(path.has_value());
  std::vector<std::string> names;
  for (const auto& segment : path->segments) names.push_back(segment.name);
  return names;
}

std::optional<std::size_t> index_of(std::string_view text) {
  const auto path = parse_json_path(text);
  REQUIRE(path.has_value());
  return path->segments.back().index;
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t at = 0; at < times; ++at) all += text;
  return all;
}

}  // namespace

TEST_SUITE("JSON Pointers to an action and a room (RFC 6901)") {
  using Names = std::vector<std::string>;

  TEST_CASE("each '/' begins a segment, which may be empty") {
    CHECK(names_of("/op") == Names{"op"});
    CHECK(names_of("/data/room") == Names{"data", "room"});
    CHECK(names_of("/") == Names{""});
    CHECK(names_of("/a//b/") == Names{"a", "", "b", ""});
  }

  TEST_CASE("~1 is '/' and ~0 is '~', each read once") {
    CHECK(names_of("/a~1b") == Names{"a/b"});
    CHECK(names_of("/m~0n") == Names{"m~n"});
    CHECK(names_of("/~01") == Names{"~1"});
  }

  TEST_CASE("an index is decimal digits without a leading zero") {
    CHECK(index_of("/a/0") == 0);
    CHECK(index_of("/a/10") == 10);
    for (std::string_view text : {"/a/01", "/a/00", "/a/-", "/a/-1", "/a/+1", "/a/1x", "/a/",
                                  "/a/ 1", "/a/99999999999999999999"}) {
      CAPTURE(text);
      CHECK(index_of(text) == std::nullopt);
    }
  }

  TEST_CASE("what is no pointer to something inside is refused") {
    for (std::string_view text : {"", "op", "#/op", "/a~", "/a~2", "/~/b", "/~x"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_json_path(text).has_value());
    }
  }

  TEST_CASE("eight segments and 256 octets are the most") {
    CHECK(names_of(repeated("/a", 8)).size() == 8);
    CHECK_FALSE(parse_json_path(repeated("/a", 9)).has_value());
    CHECK(names_of("/" + repeated("a", 255)).size() == 1);
    CHECK_FALSE(parse_json_path("/" + repeated("a", 256)).has_value());
  }
}
