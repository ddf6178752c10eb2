#include "gateway/metrics.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "gateway/conversation.h"
#include "gateway/refusal.h"
#include "tests/fakes/room_member.h"
#include "tests/gateway/captured_log.h"

using namespace std::chrono_literals;
using namespace gateway;

namespace {

struct Worker {
  Worker(unsigned index, Audit& audit, Exchange& exchange, Ledger& ledger, const Policy& policy)
      : refusals(audit),
        rooms(index, exchange),
        served(serve_policy(std::shared_ptr<const Policy>(std::shared_ptr<void>(), &policy), index,
                            ledger, nullptr)) {
    exchange.add_worker(rooms);
  }

  WorkerCounters counters;
  RefusalSampler refusals;
  Rooms rooms;
  std::shared_ptr<const ServedPolicy> served;
  proxy::LatencyHistogram iterations;
};

Route route_at(std::string_view path, std::vector<std::string> hosts = {}) {
  Route route;
  route.path = *PathPattern::parse(path);
  route.hosts = std::move(hosts);
  return route;
}

// An instance of two workers.
struct Fixture {
  explicit Fixture(std::vector<Route> routes = {}) {
    if (routes.empty()) routes.push_back(route_at("/chat"));
    for (auto& route : routes) {
      route.index = policy.routes.size();
      policy.routes.push_back(std::move(route));
    }
    auto chat = std::make_shared<BackendSettings>();
    chat->name = "chat";
    chat->servers.resize(3);
    chat->servers[0].text = "ws://a:1";
    chat->servers[1].text = "ws://b:2";
    chat->servers[2].text = "ws://a:1";
    backend = chat.get();
    policy.backends["chat"] = std::move(chat);
    for (unsigned i = 0; i < 2; ++i) workers.emplace_back(i, audit, exchange, ledger, policy);
  }

  std::string text() {
    InstanceMetrics instance{policy, ledger, exchange, captured.log(), revocations};
    instance.redis_waiting_octets = 4'321;
    instance.control_texts_invalid = 17;
    instance.now = now;
    instance.started = proxy::WallTime(1'700'000'000s);
    instance.draining = draining;
    if (policy.redis) instance.redis_round_trips = &round_trips;
    instance.key_sets = key_sets;
    for (const auto& worker : workers) {
      instance.workers.push_back(
          {worker.counters, worker.refusals, worker.rooms, *worker.served, worker.iterations});
    }
    return metrics_text(instance);
  }

  // Is it a line of it?
  bool says(std::string_view line) { return text().contains("\n" + std::string(line) + "\n"); }

  tests::CapturedLog captured;
  Audit audit{captured.log()};
  Policy policy;
  const BackendSettings* backend = nullptr;
  Ledger ledger{100, 5'000};
  Exchange exchange;
  Revocations revocations;
  std::deque<Worker> workers;
  proxy::MonotonicTime now = proxy::MonotonicTime() + 1h;
  bool draining = false;
  std::vector<KeySetStatus> key_sets;
  proxy::LatencyHistogram round_trips;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// Of a line of a comment: "# TYPE name …".
std::string name_in(const std::string& comment) {
  const auto begin = comment.find(' ', 2) + 1;
  return comment.substr(begin, comment.find(' ', begin) - begin);
}

}  // namespace

TEST_SUITE("metrics") {
  TEST_CASE("every family has one HELP and one TYPE, and a name that says what it counts") {
    Fixture f;
    f.policy.redis.emplace();
    std::set<std::string> names;
    std::set<std::string> samples;
    for (const auto& line : lines_of(f.text())) {
      if (line.starts_with("# HELP ")) {
        CHECK(names.insert(name_in(line)).second);
        CHECK(line.ends_with('.'));
        continue;
      }
      if (line.starts_with("# TYPE ")) {
        CHECK(names.contains(name_in(line)));
        CHECK(line.ends_with(" counter") == name_in(line).ends_with("_total"));
        if (line.ends_with(" histogram")) CHECK(name_in(line).ends_with("_seconds"));
        continue;
      }
      CHECK(line.starts_with("gatehouse_"));
      CHECK(samples.insert(line.substr(0, line.rfind(' '))).second);  // no sample comes twice
    }
    CHECK(names.size() > 30);
    CHECK(f.text().ends_with("\n"));
  }

  TEST_CASE("what workers count is added up") {
    Fixture f;
    auto& second = f.workers[1].counters;
    for (auto& worker : f.workers) {
      auto* counters = &worker.counters;
      auto* route = worker.served->routes[0].counters.get();
      route->opened.add(3);
      route->open.add(2);
      route->from_client.messages.add(10);
      route->from_client.octets.add(1'000);
      route->from_backend.messages.add(20);
      route->from_backend.octets.add(2'000);
      counters->handshakes.observe(2ms);
    }
    second.slow_clients.add();
    f.workers[1].iterations.observe(30ms);
    CHECK(f.says("gatehouse_opened_connections_total{route=\"/chat\"} 6"));
    CHECK(f.says("gatehouse_open_connections{route=\"/chat\"} 4"));
    CHECK(f.says("gatehouse_messages_total{route=\"/chat\",from=\"client\"} 20"));
    CHECK(f.says("gatehouse_messages_total{route=\"/chat\",from=\"backend\"} 40"));
    CHECK(f.says("gatehouse_message_bytes_total{route=\"/chat\",from=\"client\"} 2000"));
    CHECK(f.says("gatehouse_message_bytes_total{route=\"/chat\",from=\"backend\"} 4000"));
    CHECK(f.says("gatehouse_handshake_duration_seconds_count 2"));
    CHECK(f.says("gatehouse_slow_readers_closed_total{side=\"client\"} 1"));
    CHECK(f.says("gatehouse_slow_readers_closed_total{side=\"backend\"} 0"));
    CHECK(f.says("gatehouse_loop_busy_seconds_bucket{worker=\"0\",le=\"+Inf\"} 0"));
    CHECK(f.says("gatehouse_loop_busy_seconds_bucket{worker=\"1\",le=\"0.025\"} 0"));
    CHECK(f.says("gatehouse_loop_busy_seconds_bucket{worker=\"1\",le=\"0.1\"} 1"));
  }

  TEST_CASE(
      "routes of one path are told apart by their first host, and are one where that is one") {
    std::vector<Route> routes;
    routes.push_back(route_at("/chat", {"a.test", "b.test"}));
    routes.push_back(route_at("/chat", {"c.test"}));
    routes.push_back(route_at("/chat", {"a.test"}));
    routes.push_back(route_at("/chat"));
    Fixture f(std::move(routes));
    for (std::size_t i = 0; i < 4; ++i)
      f.workers[0].served->routes[i].counters->opened.add(1u << i);
    CHECK(f.says("gatehouse_opened_connections_total{route=\"/chat\",host=\"a.test\"} 5"));
    CHECK(f.says("gatehouse_opened_connections_total{route=\"/chat\",host=\"c.test\"} 2"));
    CHECK(f.says("gatehouse_opened_connections_total{route=\"/chat\"} 8"));
  }

  TEST_CASE("handshakes are counted by their answer, and one without any as none") {
    Fixture f;
    for (int status : {101, 101, 401, 0, 418}) f.workers[0].counters.answered(status);
    CHECK(f.says("gatehouse_handshakes_total{code=\"101\"} 2"));
    CHECK(f.says("gatehouse_handshakes_total{code=\"401\"} 1"));
    CHECK(f.says("gatehouse_handshakes_total{code=\"none\"} 1"));
    CHECK(f.says("gatehouse_handshakes_total{code=\"other\"} 1"));
    CHECK(f.says("gatehouse_handshakes_total{code=\"503\"} 0"));
  }

  TEST_CASE(
      "every reason of a refusal is there before it happens, and one that is unknown is other") {
    Fixture f;
    auto& refusals = f.workers[1].counters.refusals;
    for (const auto* reason : {"expired", "origin_not_allowed", "backend_unreachable"}) {
      CHECK(f.says("gatehouse_handshakes_refused_total{reason=\"" + std::string(reason) + "\"} 0"));
      refusals.add(reason);
      CHECK(f.says("gatehouse_handshakes_refused_total{reason=\"" + std::string(reason) + "\"} 1"));
    }
    refusals.add("unheard-of");
    CHECK(f.says("gatehouse_handshakes_refused_total{reason=\"other\"} 1"));
    CHECK_FALSE(f.text().contains("unheard-of"));
  }

  TEST_CASE("reasons are listed once each, without those that a better one always stands for") {
    for (const auto reasons : {refusal_reasons(), message_refusal_reasons()}) {
      CHECK(std::set(reasons.begin(), reasons.end()).size() == reasons.size());
      CHECK(std::ranges::find(reasons, "") == reasons.end());
      CHECK(std::ranges::find(reasons, "other") == reasons.end());
    }
    for (std::string_view replaced :
         {"unauthorized", "forbidden", "origin_forbidden", "token_refused"}) {
      CHECK(std::ranges::find(refusal_reasons(), replaced) == refusal_reasons().end());
    }
    for (std::string_view known : {"no_route", "credential_missing", "not_allowed", "too_long",
                                   "required_claim", "client_left", "ip_handshakes"}) {
      CHECK(std::ranges::find(refusal_reasons(), known) != refusal_reasons().end());
    }
  }

  TEST_CASE("closes are counted by who and by code; codes of applications are two classes") {
    Fixture f;
    auto& counters = f.workers[0].counters;
    counters.closed(ClosedBy::Client, 1000);
    counters.closed(ClosedBy::Client, 0);
    counters.closed(ClosedBy::Backend, 3999);
    counters.closed(ClosedBy::Backend, 4000);
    counters.closed(ClosedBy::Backend, 4999);
    counters.closed(ClosedBy::Gateway, 4401);
    const auto says = [&](std::string_view labels, int count) {
      return f.says(fmt::format("gatehouse_closed_connections_total{{{}}} {}", labels, count));
    };
    CHECK(says("code=\"1000\",by=\"client\"", 1));
    CHECK(says("code=\"1000\",by=\"gateway\"", 0));
    CHECK(says("code=\"none\",by=\"client\"", 1));
    CHECK(says("code=\"3xxx\",by=\"backend\"", 1));
    CHECK(says("code=\"4xxx\",by=\"backend\"", 2));
    CHECK(says("code=\"4401\",by=\"gateway\"", 1));
  }

  TEST_CASE("limits are counted with what was done; what cannot be is not there") {
    Fixture f;
    f.workers[0].counters.limit_hit(AuditedLimit::ConnectionMessages, LimitAction::Throttle);
    f.workers[1].counters.limit_hit(AuditedLimit::ConnectionMessages, LimitAction::Throttle);
    f.workers[1].counters.limit_hit(AuditedLimit::IpHandshakes, LimitAction::Refuse);
    CHECK(
        f.says("gatehouse_limit_hits_total{limit=\"connection_messages\",action=\"throttle\"} 2"));
    CHECK(f.says("gatehouse_limit_hits_total{limit=\"connection_messages\",action=\"close\"} 0"));
    CHECK(f.says("gatehouse_limit_hits_total{limit=\"ip_handshakes\",action=\"refuse\"} 1"));
    CHECK_FALSE(f.text().contains("limit=\"ip_handshakes\",action=\"drop\""));
    CHECK_FALSE(f.text().contains("limit=\"room_messages\",action=\"refuse\""));
  }

  TEST_CASE("a backend's servers are counted by how attempts ended, one that is named twice once") {
    using Outcome = proxy::Servers::Outcome;
    Fixture f;
    auto& servers = f.workers[0].served->servers_of(*f.backend);
    auto& of_other = f.workers[1].served->servers_of(*f.backend);
    servers.record(0, Outcome::Upgraded, f.now);
    servers.record(2, Outcome::Upgraded, f.now);
    servers.record(1, Outcome::Unreachable, f.now);
    of_other.record(1, Outcome::Unreachable, f.now);
    const auto counted = [&](std::string_view server, std::string_view outcome, int count) {
      return f.says(
          fmt::format("gatehouse_backend_handshakes_total{{backend=\"chat\","
                      "server=\"{}\",outcome=\"{}\"}} {}",
                      server, outcome, count));
    };
    CHECK(counted("ws://a:1", "upgraded", 2));
    CHECK(counted("ws://a:1", "too_slow", 0));
    CHECK(counted("ws://b:2", "unreachable", 2));
    const auto skipping = [&](std::string_view server, int workers) {
      return f.says(
          fmt::format("gatehouse_backend_server_skipping_workers{{backend=\"chat\","
                      "server=\"{}\"}} {}",
                      server, workers));
    };
    CHECK(skipping("ws://a:1", 0));
    CHECK(skipping("ws://b:2", 2));
    servers.observe(0, 3ms);
    servers.observe(2, 30ms);
    of_other.observe(0, 3ms);
    const auto took = [&](std::string_view server, std::string_view bound, int count) {
      return f.says(
          fmt::format("gatehouse_backend_handshake_duration_seconds_bucket{{backend=\"chat\","
                      "server=\"{}\",le=\"{}\"}} {}",
                      server, bound, count));
    };
    CHECK(took("ws://a:1", "0.005", 2));
    CHECK(took("ws://a:1", "0.1", 3));
    CHECK(took("ws://b:2", "+Inf", 0));
    f.now += 5s;
    CHECK(skipping("ws://b:2", 0));
  }

  TEST_CASE("connections and queued octets stand beside their maximum") {
    Fixture f;
    auto admitting = f.ledger.accept();
    auto open = f.ledger.accept();
    open.established();
    REQUIRE(f.ledger.reserve_queued(1'234));
    CHECK(f.says("gatehouse_max_connections 100"));
    CHECK(f.says("gatehouse_accepted_connections 2"));
    CHECK(f.says("gatehouse_admitting_connections 1"));
    CHECK(f.says("gatehouse_queued_bytes 1234"));
    CHECK(f.says("gatehouse_queued_max_bytes 5000"));
    f.ledger.release_queued(1'234);
  }

  TEST_CASE("rooms, their members and what they were handed, over all workers") {
    Fixture f;
    tests::RoomMember alice;
    tests::RoomMember bob;
    REQUIRE(f.workers[0].rooms.join(alice, "r") == Rooms::Join::Joined);
    REQUIRE(f.workers[0].rooms.join(alice, "s") == Rooms::Join::Joined);
    REQUIRE(f.workers[1].rooms.join(bob, "r") == Rooms::Join::Joined);
    CHECK(f.says("gatehouse_rooms 2"));
    CHECK(f.says("gatehouse_room_memberships 3"));
    REQUIRE(f.workers[0].rooms.publish(*f.workers[0].rooms.find(alice, "r"), tests::frame("hi")));
    CHECK(f.says("gatehouse_room_publications_total 1"));
    CHECK(f.says("gatehouse_room_deliveries_total 2"));
    CHECK(f.says(
        fmt::format("gatehouse_room_delivery_bytes_total {}", 2 * tests::frame("hi")->size())));
    CHECK(f.says("gatehouse_room_delivery_duration_seconds_count 2"));
    CHECK(f.says("gatehouse_room_publications_dropped_total 0"));
    f.workers[0].rooms.leave_all(alice);
    f.workers[1].rooms.leave_all(bob);
    CHECK(f.says("gatehouse_rooms 0"));
    CHECK(f.says("gatehouse_room_memberships 0"));
  }

  TEST_CASE("Redis is spoken of where the policy has one, and nowhere else") {
    Fixture f;
    CHECK_FALSE(f.text().contains("redis"));
    f.policy.redis.emplace();
    CHECK(f.says("gatehouse_redis_up 0"));
    CHECK(f.says("gatehouse_redis_returns_total 0"));
    CHECK(f.says("gatehouse_redis_waiting_bytes 4321"));
    CHECK(f.says("gatehouse_redis_control_invalid_total 17"));
    f.round_trips.observe(2ms);
    CHECK(f.says("gatehouse_redis_round_trip_seconds_bucket{le=\"0.001\"} 0"));
    CHECK(f.says("gatehouse_redis_round_trip_seconds_bucket{le=\"0.005\"} 1"));
  }

  TEST_CASE("joins are counted by what came of them, and tokens by how long they took") {
    Fixture f;
    f.workers[0].counters.joins.add("joined");
    f.workers[1].counters.joins.add("joined");
    f.workers[1].counters.joins.add("too_many_rooms");
    CHECK(f.says("gatehouse_room_joins_total{outcome=\"joined\"} 2"));
    CHECK(f.says("gatehouse_room_joins_total{outcome=\"too_many_rooms\"} 1"));
    CHECK(f.says("gatehouse_room_joins_total{outcome=\"access_denied\"} 0"));
    CHECK(f.says("gatehouse_room_joins_total{outcome=\"unavailable\"} 0"));
    for (auto& worker : f.workers) worker.counters.verifications.observe(200us);
    CHECK(f.says("gatehouse_token_verification_seconds_bucket{le=\"0.001\"} 2"));
  }

  TEST_CASE("what is revoked, and whom that closed") {
    Fixture f;
    CHECK(f.says("gatehouse_revocations 0"));
    CHECK(f.says("gatehouse_revocations_loaded 0"));
    f.revocations.set_loaded(true);
    const auth::WallTime wall{1'700'000'000s};
    f.revocations.add({"alice", wall, wall + 1h});
    f.revocations.add({"alice", wall + 1s, wall + 1h});
    CHECK(f.revocations.closes("alice", {}, wall));
    CHECK(f.says("gatehouse_revocations 1"));
    CHECK(f.says("gatehouse_revocations_loaded 1"));
    CHECK(f.says("gatehouse_revocations_applied_total 2"));
    CHECK(f.says("gatehouse_revoked_connections_total 1"));
  }

  TEST_CASE("keys that are fetched are counted, and as old as their last fetch that succeeded") {
    Fixture f;
    CHECK_FALSE(f.text().contains("gatehouse_key"));
    auto& set = f.key_sets.emplace_back();
    set.authenticator = "users";
    set.origin = "https://id.example.com";
    set.fetches = set.failures = 2;
    const std::string of_it = R"({authenticator="users",set="1",from="https://id.example.com")";
    CHECK(f.says("gatehouse_key_set_keys" + of_it + "} 0"));
    CHECK_FALSE(f.text().contains("gatehouse_key_set_age_seconds"));
    set.keys = 3;
    set.fetched = f.now - 90s;
    set.fetches = 7;
    CHECK(f.says("gatehouse_key_set_keys" + of_it + "} 3"));
    CHECK(f.says("gatehouse_key_set_age_seconds" + of_it + "} 90"));
    CHECK(f.says("gatehouse_key_fetches_total" + of_it + R"(,outcome="fetched"} 5)"));
    CHECK(f.says("gatehouse_key_fetches_total" + of_it + R"(,outcome="failed"} 2)"));
  }

  TEST_CASE("lines that the log leaves out are counted") {
    Fixture f;
    for (int i = 0; i < 15; ++i) {
      f.workers[0].refusals.refused({.connection = {}, .reason = "no_route", .status = 404}, f.now);
    }
    CHECK(f.says("gatehouse_log_lines_sampled_total 5"));
    CHECK(f.says("gatehouse_log_lines_lost_total 0"));
  }

  TEST_CASE("the instance says what it is and whether it goes") {
    Fixture f;
    CHECK(f.says("gatehouse_build_info{version=\"" GATEHOUSE_VERSION "\"} 1"));
    CHECK(f.says("gatehouse_start_time_seconds 1700000000"));
    CHECK(f.says("gatehouse_workers 2"));
    CHECK(f.says("gatehouse_draining 0"));
    f.draining = true;
    CHECK(f.says("gatehouse_draining 1"));
  }
}
