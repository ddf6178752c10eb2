#include "gateway/served_policy.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "gateway/policy_file.h"

using namespace gateway;

namespace {

std::shared_ptr<const Policy> policy_of(std::string_view servers, std::string_view routes) {
  auto loaded = parse_policy("policy.yaml",
                             fmt::format("version: 1\n"
                                         "listen: [ {{ address: 127.0.0.1:8080 }} ]\n"
                                         "authenticators: {{ guests: {{ anonymous: {{}} }} }}\n"
                                         "backends: {{ chat: {{ servers: [{}] }} }}\n"
                                         "routes: [ {} ]\n",
                                         servers, routes),
                             [](const std::string&) { return std::nullopt; });
  if (!loaded) FAIL(loaded.error().front().to_string());
  return loaded->policy;
}

constexpr auto chat = "{ path: /chat, authenticate: [guests], backend: chat }";
constexpr auto news = "{ path: /news, authenticate: [guests] }";
constexpr auto first_server = "ws://127.0.0.1:9001";
constexpr auto other_server = "ws://127.0.0.1:9002";

proxy::Servers& servers(const ServedPolicy& served) {
  return served.servers_of(*served.policy->backends.at("chat"));
}

}  // namespace

TEST_SUITE("A policy that a worker serves") {
  TEST_CASE("counts on where a route stays, and begins with one that is new") {
    Ledger ledger(10);
    const auto before = serve_policy(policy_of(first_server, fmt::format("{}, {}", news, chat)), 0,
                                     ledger, nullptr);
    before->routes[1].counters->opened.add(7);
    const auto now = serve_policy(
        policy_of(first_server, fmt::format("{}, {{ path: /new, authenticate: [guests] }}", chat)),
        0, ledger, before.get());
    CHECK(now->routes[0].counters->opened.value() == 7);
    CHECK(now->routes[1].counters->opened.value() == 0);
    CHECK(now->routes[0].relay.client.traffic == &now->routes[0].counters->from_client);
  }

  TEST_CASE("never counts two routes as one, be they the same") {
    Ledger ledger(10);
    const auto twice = policy_of(first_server, fmt::format("{}, {}", chat, chat));
    const auto before = serve_policy(twice, 0, ledger, nullptr);
    const auto now = serve_policy(twice, 0, ledger, before.get());
    CHECK(now->routes[0].counters != now->routes[1].counters);
  }

  TEST_CASE("remembers which servers of a backend failed, as long as they are the same") {
    using Outcome = proxy::Servers::Outcome;
    Ledger ledger(10);
    const proxy::MonotonicTime time{std::chrono::hours(1)};
    const auto before = serve_policy(policy_of(first_server, chat), 0, ledger, nullptr);
    servers(*before).record(0, Outcome::Unreachable, time);
    const auto same = serve_policy(policy_of(first_server, chat), 0, ledger, before.get());
    CHECK(servers(*same).skipped(0, time));
    CHECK(servers(*same).count(0, Outcome::Unreachable) == 1);
    const auto other = serve_policy(policy_of(other_server, chat), 0, ledger, same.get());
    CHECK_FALSE(servers(*other).skipped(0, time));
  }
}
