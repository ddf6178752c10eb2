#include "gateway/distinct_names.h"

#include <string>

#include <doctest/doctest.h>

using namespace gateway;

TEST_SUITE("names, each once") {
  TEST_CASE("of any number of names, each is added once") {
    std::vector<std::string> names;
    for (int at = 0; at < 3000; ++at) names.push_back("name" + std::to_string(at));
    for (std::size_t count : {0U, 1U, 7U, 8U, 9U, 15U, 16U, 17U, 33U, 3000U}) {
      CAPTURE(count);
      DistinctNames distinct;
      for (std::size_t at = 0; at < count; ++at) CHECK(distinct.add(names[at]));
      for (std::size_t at = 0; at < count; ++at) CHECK_FALSE(distinct.add(std::string(names[at])));
    }
  }

  TEST_CASE("the empty name is one, and a NUL is a character") {
    DistinctNames distinct;
    CHECK(distinct.add(""));
    CHECK(distinct.add(std::string_view("\0", 1)));
    CHECK_FALSE(distinct.add(""));
    CHECK_FALSE(distinct.add(std::string_view("\0", 1)));
  }

  TEST_CASE("once cleared, it has none, whether it had few or many") {
    DistinctNames distinct;
    std::vector<std::string> names;
    for (int at = 0; at < 100; ++at) names.push_back(std::to_string(at));
    for (std::size_t count : {100U, 9U, 8U, 100U, 12U}) {
      CAPTURE(count);
      distinct.clear();
      for (std::size_t at = 0; at < count; ++at) CHECK(distinct.add(names[at]));
      CHECK_FALSE(distinct.add(names[count - 1]));
    }
  }
}
