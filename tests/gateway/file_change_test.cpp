#include "gateway/file_change.h"

#include <doctest/doctest.h>

using namespace gateway;

namespace {

constexpr FileMark first{1, 10, 100, 1'000};
constexpr FileMark second{1, 10, 120, 2'000};
constexpr FileMark third{1, 11, 120, 2'000};

}  // namespace

TEST_SUITE("A file that is watched") {
  TEST_CASE("is read again once it differs and has been the same for two looks, and only once") {
    FileChange change;
    change.read(first);
    CHECK_FALSE(change.look(first));
    CHECK_FALSE(change.look(second));  // it may be half written
    CHECK(change.look(second));
    change.read(second);
    CHECK_FALSE(change.look(second));
    CHECK_FALSE(change.look(second));
  }

  TEST_CASE("is left alone as long as it goes on changing, or is what it was again") {
    FileChange change;
    change.read(first);
    CHECK_FALSE(change.look(second));
    CHECK_FALSE(change.look(third));
    CHECK_FALSE(change.look(first));
    CHECK_FALSE(change.look(first));
  }

  TEST_CASE("is another one where another one stands in its place, or none does") {
    FileChange change;
    change.read(second);
    CHECK_FALSE(change.look(third));
    CHECK(change.look(third));
    change.read(third);
    CHECK_FALSE(change.look(std::nullopt));
    CHECK(change.look(std::nullopt));
    change.read(std::nullopt);
    CHECK_FALSE(change.look(std::nullopt));
  }

  TEST_CASE("that nobody says was read is read after two looks") {
    FileChange change;
    CHECK_FALSE(change.look(first));
    CHECK(change.look(first));
  }
}
