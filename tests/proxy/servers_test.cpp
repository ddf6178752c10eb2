#include <doctest/doctest.h>

#include "proxy/backend.h"

using namespace std::chrono_literals;

namespace tests {

namespace {
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
    servers.mark_failed(0, start);
    CHECK(servers.next(none_tried, start) == 1);
    CHECK(servers.next(none_tried, start) == 2);
    CHECK(servers.next(none_tried, start + 4999ms) == 1);
    CHECK(servers.next(none_tried, start + 4999ms) == 2);
    CHECK(servers.next(none_tried, start + 5s) == 0);
  }

  TEST_CASE("where all have failed, the one whose failure is the longest ago is tried") {
    proxy::Servers servers(three(), 0);
    servers.mark_failed(1, start);
    servers.mark_failed(2, start + 1s);
    servers.mark_failed(0, start + 2s);
    CHECK(servers.next(none_tried, start + 3s) == 1);
    CHECK(servers.next({false, true, false}, start + 3s) == 2);
  }

  TEST_CASE("a server that answered is skipped no more") {
    proxy::Servers servers(three(), 0);
    servers.mark_failed(0, start);
    servers.mark_good(0);
    CHECK(servers.next(none_tried, start) == 0);
  }
}

}  // namespace tests
