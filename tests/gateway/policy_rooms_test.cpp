#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "gateway/policy_file.h"

using namespace gateway;

namespace {

std::optional<std::string> environment(const std::string& name) {
  return name == "SPACE" ? std::optional<std::string>("from-outside") : std::nullopt;
}

std::string with_routes(std::string_view routes) {
  return fmt::format(
      "version: 1\n"
      "listen: [ {{ address: 127.0.0.1:8080 }} ]\n"
      "authenticators: {{ guests: {{ anonymous: {{}} }} }}\n"
      "backends: {{ chat: {{ servers: [ws://127.0.0.1:9001] }} }}\n"
      "routes:\n"
      "  - {{ path: /spare, authenticate: [guests], backend: chat }}\n"
      "{}",
      routes);
}

// A route of its own; `more` begins with ", " or is empty.
std::string with_route(std::string_view more) {
  return with_routes(fmt::format("  - {{ path: /chat, authenticate: [guests]{} }}\n", more));
}

Route route(std::string_view more) {
  auto loaded = parse_policy("policy.yaml", with_route(more), environment);
  if (!loaded) FAIL(loaded.error().front().to_string());
  return loaded->policy->routes.back();
}

std::string first_fault(std::string_view more) {
  auto loaded = parse_policy("policy.yaml", with_route(more), environment);
  return loaded ? "" : loaded.error().front().what;
}

std::shared_ptr<const Policy> rooms_of_corpus() {
  auto loaded = load_policy(GATEHOUSE_TEST_POLICIES "/good/rooms.yaml", environment);
  if (!loaded) FAIL(loaded.error().front().to_string());
  return loaded->policy;
}

const std::string json =
    ", backend: chat, messages: { json: { action: /op, room: /r, join: [s] } }";

}  // namespace

TEST_SUITE("messages and rooms of a policy") {
  TEST_CASE("messages are opaque with a backend, and rooms without one") {
    CHECK_FALSE(route(", backend: chat").rooms);
    CHECK_FALSE(route(", backend: chat, messages: opaque").rooms);
    Route alone = route("");
    CHECK_FALSE(alone.backend);
    REQUIRE(alone.rooms);
    CHECK_FALSE(alone.rooms->json);
    CHECK(alone.rooms->deliver == Deliver::Room);
  }

  TEST_CASE("what is left out has the contract's default") {
    const RoomSettings rooms = *route(", backend: chat, messages: rooms").rooms;
    CHECK_FALSE(rooms.json);
    CHECK(rooms.deliver == Deliver::Backend);
    CHECK_FALSE(rooms.backend_acknowledges);
    CHECK_FALSE(rooms.backend_broadcast);
    CHECK_FALSE(rooms.other_passes);
    CHECK(rooms.space == "");
    CHECK(rooms.rules.empty());
    CHECK(rooms.rules_line == 0);
    CHECK_FALSE(rooms.room_messages.limited());
    CHECK(rooms.rooms_per_connection_max == 100);
  }

  TEST_CASE("what is written is read") {
    const auto policy = rooms_of_corpus();
    const RoomSettings& rooms = *policy->routes[0].rooms;
    CHECK(policy->routes[0].backend);
    CHECK(rooms.deliver == Deliver::Both);
    CHECK(rooms.backend_acknowledges);
    CHECK(rooms.backend_broadcast);
    CHECK(rooms.other_passes);
    CHECK(rooms.space == "chat-1");
    CHECK(rooms.room_messages.permits_per_second == 10);
    CHECK(rooms.room_messages.permits_max == 20);
    CHECK(rooms.rooms_per_connection_max == 5);
    CHECK(policy->routes[0].subject_limits.messages.permits_per_second == 50);
    CHECK(policy->routes[0].subject_limits.messages.permits_max == 200);
    CHECK(policy->routes[0].subject_limits.connections_max == 0);
  }

  TEST_CASE("a rule is read as it is written, and what it leaves out is for nobody") {
    const auto policy = rooms_of_corpus();
    const RoomSettings& rooms = *policy->routes[0].rooms;
    REQUIRE(rooms.rules.size() == 6);
    CHECK(rooms.rules_line == 20);
    CHECK(rooms.rules[1].match.text() == "team:{team}");
    CHECK(rooms.rules[1].line == 24);
    CHECK(auth::describe(rooms.rules[1].join) == "{claim: teams, contains: \"{team}\"}");
    CHECK(rooms.rules[1].join.line == 25);
    CHECK(auth::describe(rooms.rules[3].join) == "{subjects: [\"u-{tenant}\"]}");
    CHECK(auth::describe(rooms.rules[3].publish) == "nobody");
    CHECK(auth::describe(rooms.rules[4].join) == "nobody");
    CHECK(auth::describe(rooms.rules[5].join) == "{capability: https://example.com/rooms}");
  }

  TEST_CASE("a dialect is read as it is written") {
    const auto policy = rooms_of_corpus();
    const RoomSettings& rooms = *policy->routes[3].rooms;
    REQUIRE(rooms.json);
    REQUIRE(rooms.json->room.segments.size() == 2);
    CHECK(rooms.json->action.segments[0].name == "op");
    CHECK(rooms.json->room.segments[1].name == "channel/name");
    CHECK(rooms.json->join == std::vector<std::string>{"subscribe", "join"});
    CHECK(rooms.json->leave == std::vector<std::string>{"unsubscribe"});
    CHECK(rooms.json->publish == std::vector<std::string>{"publish", "typing"});
    CHECK(rooms.json->other_passes);
    CHECK(rooms.other_passes);
    CHECK(rooms.json->close_on_denied);
  }

  TEST_CASE("a dialect denies other messages, and drops what it denies, unless it says more") {
    const RoomSettings rooms = *route(json).rooms;
    REQUIRE(rooms.json);
    CHECK(rooms.json->leave.empty());
    CHECK(rooms.json->publish.empty());
    CHECK_FALSE(rooms.json->other_passes);
    CHECK_FALSE(rooms.json->close_on_denied);
    CHECK(rooms.deliver == Deliver::Backend);
    CHECK(rooms.backend_acknowledges);
  }

  TEST_CASE("over a limit comes an error where the gateway can say one, else nothing is read") {
    auto on_exceed = [](const std::string& more) {
      return route(more).connection_limits.on_exceed;
    };
    const std::string limited = ", limits: { connection: { messages: 1/s } }";
    CHECK(on_exceed(", backend: chat") == OnExceed::Throttle);
    CHECK(on_exceed(", backend: chat" + limited) == OnExceed::Throttle);
    CHECK(on_exceed(json + limited) == OnExceed::Throttle);
    CHECK(on_exceed(", backend: chat, messages: rooms" + limited) == OnExceed::Error);
    CHECK(on_exceed("") == OnExceed::Error);
    for (auto [word, meant] : {std::pair("error", OnExceed::Error),
                               {"drop", OnExceed::Drop},
                               {"throttle", OnExceed::Throttle},
                               {"close", OnExceed::Close}}) {
      const auto written = fmt::format(", limits: {{ connection: {{ on_exceed: {} }} }}", word);
      CHECK(on_exceed(written) == meant);
      CHECK((first_fault(json + written) == "") == (meant != OnExceed::Error));
      CHECK((first_fault(", backend: chat" + written) == "") == (meant != OnExceed::Error));
    }
  }

  TEST_CASE("a space may come from a variable, and no fault shows what it holds") {
    CHECK(route(", room_space: \"${SPACE}\"").rooms->space == "from-outside");
    const std::string fault = first_fault(", room_space: \"${SPACE} \"");
    CHECK(fault.contains("lower-case letters"));
    CHECK_FALSE(fault.contains("outside"));
  }
}

TEST_SUITE("what a policy says of rooms is bounded") {
  TEST_CASE("rules of a route") {
    auto rules = [](int count) {
      std::string text = ", rooms: [ { match: m0 }";
      for (int i = 1; i < count; ++i) text += fmt::format(", {{ match: m{} }}", i);
      return text + " ]";
    };
    CHECK(route(rules(1000)).rooms->rules.size() == 1000);
    CHECK(first_fault(rules(1001)) == "rooms: a list of more than 1000");
  }

  TEST_CASE("actions of a dialect, and their length") {
    auto dialect = [](int count, std::size_t octets) {
      std::string text = ", backend: chat, messages: { json: { action: /op, room: /r, join: [a";
      for (int i = 1; i < count; ++i) text += fmt::format(", a{}", i);
      return text + "], publish: [" + std::string(octets, 'x') + "] } }";
    };
    CHECK(route(dialect(64, 256)).rooms->json->join.size() == 64);
    CHECK(first_fault(dialect(65, 1)) == "join: a list of more than 64");
    CHECK(first_fault(dialect(1, 257)) == "publish: expected text of 1 to 256 octets, not of 257");
  }

  TEST_CASE("the name of a space") {
    CHECK(route(", room_space: " + std::string(64, 'a')).rooms->space.size() == 64);
    CHECK(first_fault(", room_space: " + std::string(65, 'a')).contains("at most 64"));
  }

  TEST_CASE("a message that is read is held as a whole, an opaque one is not") {
    CHECK(route(", max_message: 1MiB").message_octets_max == 1024 * 1024);
    CHECK(first_fault(", max_message: 1048577B").contains("at most 1MiB"));
    CHECK(route(", backend: chat, max_message: 1GiB").message_octets_max == 1024 * 1024 * 1024);
  }
}
