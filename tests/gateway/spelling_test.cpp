#include "gateway/spelling.h"

#include <doctest/doctest.h>

using namespace gateway;

TEST_SUITE("did you mean") {
  TEST_CASE("one letter more, less, another or two swapped is one apart") {
    CHECK(edit_distance("origins", "origins") == 0);
    CHECK(edit_distance("orgins", "origins") == 1);
    CHECK(edit_distance("originss", "origins") == 1);
    CHECK(edit_distance("oryins", "origins") == 2);
    CHECK(edit_distance("oirgins", "origins") == 1);
    CHECK(edit_distance("", "abc") == 3);
  }

  TEST_CASE("a word is suggested if little of it is wrong") {
    const std::vector<std::string_view> known = {"origins", "hosts", "path", "in"};
    CHECK(did_you_mean("orgins", known) == " (did you mean 'origins'?)");
    CHECK(did_you_mean("hsots", known) == " (did you mean 'hosts'?)");
    CHECK(did_you_mean("completely", known) == "");
    CHECK(did_you_mean("an", known) == "");  // half of it is wrong
    CHECK(did_you_mean("", known) == "");
    CHECK(did_you_mean(std::string(65, 'o'), known) == "");
    CHECK(did_you_mean("origin", {"origin\r"}) == " (did you mean 'origin\\x0d'?)");
  }
}
