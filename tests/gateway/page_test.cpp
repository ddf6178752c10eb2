#include "gateway/page.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using gateway::Page;

namespace {

std::vector<std::string> keys(const Page<int>& page) {
  std::vector<std::string> keys;
  for (const auto& [key, row] : page.kept()) keys.push_back(key);
  return keys;
}

using Keys = std::vector<std::string>;

}  // namespace

TEST_SUITE("page") {
  TEST_CASE("the first rows in the order of their keys, however they come") {
    Page<int> page("", 3);
    for (const auto* key : {"e", "b", "d", "a", "f", "c"}) page.row_of(key);
    CHECK(page.end() == "c");
    CHECK(keys(page) == Keys{"a", "b", "c"});
  }

  TEST_CASE("a list that ends here has no next page, also where it just fits") {
    Page<int> page("", 3);
    for (const auto* key : {"c", "b", "a"}) page.row_of(key);
    CHECK_FALSE(page.end());
    CHECK(keys(page) == Keys{"a", "b", "c"});
    CHECK_FALSE(Page<int>("", 3).end());
  }

  TEST_CASE("the next page begins behind the last key of this one") {
    Page<int> page("b", 2);
    for (const auto* key : {"a", "b", "c", "d", "e"}) page.row_of(key);
    CHECK(page.end() == "d");
    CHECK(keys(page) == Keys{"c", "d"});
  }

  TEST_CASE("who comes twice is there once, and keeps nobody out") {
    Page<int> page("", 2);
    for (const auto* key : {"b", "c", "b", "a", "a", "c"}) {
      if (auto* row = page.row_of(key)) ++*row;
    }
    CHECK(page.end() == "b");
    CHECK(page.kept().find("a")->second == 2);
    CHECK(page.kept().find("b")->second == 2);
  }

  TEST_CASE("no more is kept than one row beyond the page") {
    Page<int> page("", 2);
    for (char key = 'z'; key >= 'a'; --key) {
      page.row_of(std::string(1, key));
      CHECK(page.kept().size() <= 3);
    }
    CHECK_FALSE(page.takes("d"));
    CHECK(page.row_of("d") == nullptr);
    CHECK(page.takes("c"));  // it is there
    CHECK(page.takes("aa"));
  }
}
