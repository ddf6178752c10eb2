#include <doctest/doctest.h>

#include "proxy/backend.h"

using namespace std::chrono_literals;

namespace tests {

namespace {
using Outcome = proxy::Servers::Outcome;

std::vector<proxy::Server> three() { return {{"a", 80, ""}, {"b", 80, ""}, {"c", 80, ""}}; }
const std::vector<bool> none_tried(3);
const proxy::MonotonicTime start{};
}  // namespace

TEST_SUITE("backend servers") {
  TEST_CASE("servers take turns, from where the worker begins") {
    proxy::Servers servers(three(), 1);
    for (std::size_t expected : {1, 2, 0, 1}) CHECK(servers.next(none_tried, start) == expected);
  }

  TEST_CASE("a server that was tried for this client is not tried again") {
    proxy::Servers servers(three(), 0);
    CHECK(servers.next({true, false, true}, start) == 1);
    CHECK_FALSE(servers.next({true, true, true}, start));
  }

  TEST_CASE("a server that failed is skipped for 5 s, and then has its turn again") {
    proxy::Servers servers(three(), 0);
    servers.record(0, Outcome::Unreachable, start);
    CHECK(servers.next(none_tried, start) == 1);
    CHECK(servers.next(none_tried, start) == 2);
    CHECK(servers.next(none_tried, start + 4999ms) == 1);
    CHECK(servers.next(none_tried, start + 4999ms) == 2);
    CHECK(servers.next(none_tried, start + 5s) == 0);
  }

  TEST_CASE("where all have failed, the one whose failure is the longest ago is tried") {
    proxy::Servers servers(three(), 0);
    servers.record(1, Outcome::Unreachable, start);
    servers.record(2, Outcome::Unreachable, start + 1s);
    servers.record(0, Outcome::Unreachable, start + 2s);
    CHECK(servers.next(none_tried, start + 3s) == 1);
    CHECK(servers.next({false, true, false}, start + 3s) == 2);
  }

  TEST_CASE("a server that answered is skipped no more") {
    proxy::Servers servers(three(), 0);
    servers.record(0, Outcome::Unreachable, start);
    servers.record(0, Outcome::Upgraded, start);
    CHECK(servers.next(none_tried, start) == 0);
  }

  TEST_CASE("a server that refuses a client has answered: it is not skipped") {
    proxy::Servers servers(three(), 0);
    servers.record(0, Outcome::TooSlow, start);
    CHECK(servers.skipped(0, start + 4999ms));
    servers.record(0, Outcome::Refused, start + 1s);
    CHECK_FALSE(servers.skipped(0, start + 1s));
  }

  TEST_CASE("each failure skips, whichever it is, and every outcome is counted by itself") {
    for (auto outcome : {Outcome::Unreachable, Outcome::Wrong, Outcome::TooSlow}) {
      proxy::Servers servers(three(), 0);
      servers.record(1, outcome, start);
      CHECK(servers.skipped(1, start));
      CHECK_FALSE(servers.skipped(0, start));
      CHECK_FALSE(servers.skipped(1, start + 5s));
      CHECK(servers.count(1, outcome) == 1);
      CHECK(servers.count(1, Outcome::Upgraded) == 0);
      CHECK(servers.count(0, outcome) == 0);
    }
  }
}

}  // namespace tests
