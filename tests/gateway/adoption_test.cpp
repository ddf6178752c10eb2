// What becomes of an open connection under another policy: what changed -> what happens.
#include "gateway/adoption.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "auth/fingerprint.h"
#include "gateway/policy_file.h"

using namespace gateway;

namespace {

constexpr auto secret_a = "the first secret, of 32 octets: a";
constexpr auto secret_b = "another secret, of 32 octets also";

// What of a policy a row changes. The rest is the same for all.
struct Words {
  std::string prefix = "";
  std::string secrets = fmt::format("{{ secret: \"{}\" }}", secret_a);
  std::string path = "/chat/{team}";
  std::string hosts = "";
  std::string authenticate = "[users, others]";
  std::string allow = "everyone";
  std::string origins = "[\"https://app.example.com\"]";
  std::string backend = "";
  std::string messages = "rooms";
  std::string space = "";
};

std::shared_ptr<const Policy> policy_of(const Words& words) {
  const auto text = fmt::format(
      R"(version: 1
listen: [ {{ address: 127.0.0.1:8080 }} ]
authenticators:
  users:
    subject_prefix: "{}"
    jwt: {{ issuer: any, audience: any, algorithms: [HS256], keys: [ {} ] }}
  others:
    subject_prefix: "o:"
    jwt: {{ issuer: any, audience: any, algorithms: [HS256], keys: [ {{ secret: "{}" }} ] }}
backends:
  chat: {{ servers: [ws://127.0.0.1:9001] }}
  other: {{ servers: [ws://127.0.0.1:9002] }}
routes:
  - path: {}
    {}
    authenticate: {}
    allow: {}
    {}
    {}
    {}
)",
      words.prefix, words.secrets, secret_b, words.path,
      words.hosts.empty() ? "" : "hosts: " + words.hosts, words.authenticate, words.allow,
      words.origins.empty() ? "" : "origins: " + words.origins,
      words.backend.empty() ? "" : "backend: " + words.backend,
      words.messages == "opaque"
          ? "messages: opaque"
          : fmt::format("messages: rooms\n    room_space: \"{}\"", words.space));
  auto loaded = parse_policy("policy.yaml", text, [](const auto&) { return std::nullopt; });
  if (!loaded) FAIL(loaded.error().front().to_string());
  return loaded->policy;
}

// A connection that was let in by the policy of `before`.
struct Connection {
  Words before = {};
  Asked asked{"chat.example.com", "/chat/red", "https://app.example.com", false};
  std::string claims = R"({"plan":"pro","teams":["red"]})";
  bool by_fetched_key = false;
};

std::string outcome(const Connection& connection, const Words& now) {
  const auto before = policy_of(connection.before);
  const auto& route = before->routes.front();
  const auto key = connection.by_fetched_key ? 0 : auth::fingerprint_of(secret_a);
  const Standing standing{connection.asked, route, route.authenticate.front().get(), key, "alice",
                          connection.claims};
  const auto policy = policy_of(now);
  const auto adopted = adopt(*policy, standing);
  if (!adopted) return std::string(row_of(adopted.error()).name);
  CHECK(adopted->match.route == &policy->routes.front());
  CHECK(adopted->authenticator == policy->routes.front().authenticate.front().get());
  return "stays";
}

std::string outcome(const Words& now) { return outcome({}, now); }

}  // namespace

TEST_SUITE("Another policy, and a connection that is open") {
  TEST_CASE("nothing that concerns it changed: it stays, with what the path captures") {
    CHECK(outcome({}) == "stays");
    const auto policy = policy_of({});
    const Connection connection;
    const auto& route = policy->routes.front();
    const auto adopted =
        adopt(*policy, {connection.asked, route, route.authenticate.front().get(), 0, "alice", ""});
    REQUIRE(adopted);
    CHECK(adopted->match.captures == RouteCaptures{{"team", "red"}});
  }

  TEST_CASE("its route is found again by host and path, whatever the route was") {
    CHECK(outcome({.path = "/*"}) == "stays");
    CHECK(outcome({.path = "/other"}) == "route_gone");
    CHECK(outcome({.hosts = "[chat.example.com]"}) == "stays");
    CHECK(outcome({.hosts = "[other.example.com]"}) == "route_gone");
  }

  TEST_CASE("its Origin has to be allowed where that is checked now") {
    CHECK(outcome({.origins = ""}) == "stays");
    CHECK(outcome({.origins = "[\"https://*.example.com\"]"}) == "stays");
    CHECK(outcome({.origins = "[\"https://other.example.com\"]"}) == "origin_forbidden");
    Connection several{.before = {.origins = ""}};
    several.asked.origin = "null";
    CHECK(outcome(several, {.origins = ""}) == "stays");
    CHECK(outcome(several, {.origins = "[\"*\"]"}) == "origin_forbidden");
  }

  TEST_CASE("without an Origin it is no browser, unless its credential was in a cookie") {
    Connection none;
    none.asked.origin.reset();
    CHECK(outcome(none, {}) == "stays");
    none.asked.by_cookie = true;
    CHECK(outcome(none, {}) == "origin_forbidden");
    CHECK(outcome(none, {.origins = ""}) == "stays");
  }

  TEST_CASE("who let it in has to be on the route, and to call it what it is called") {
    CHECK(outcome({.authenticate = "[users]"}) == "stays");
    CHECK(outcome({.authenticate = "[others]"}) == "authenticator_gone");
    CHECK(outcome({.prefix = "u:"}) == "authenticator_gone");
  }

  TEST_CASE("a key of the policy's own that verified it has to be there, wherever it stands") {
    const auto both = fmt::format("{{ secret: \"{}\" }}, {{ secret: \"{}\" }}", secret_b, secret_a);
    const auto other = fmt::format("{{ secret: \"{}\" }}", secret_b);
    CHECK(outcome({.secrets = both}) == "stays");
    CHECK(outcome({.secrets = other}) == "key_gone");
    CHECK(outcome({.by_fetched_key = true}, {.secrets = other}) == "stays");
  }

  TEST_CASE(
      "who let it in has to read the same kind of credential, and to have the secret of its "
      "cookie") {
    Authenticator before;
    before.name = "users";
    Route route;
    route.path = *PathPattern::parse("/chat/{team}");
    const auto judged = [&](const char* kind, std::uint64_t key) {
      const auto loaded = parse_policy("policy.yaml",
                                       fmt::format(R"(version: 1
listen: [ {{ address: 127.0.0.1:8080 }} ]
authenticators: {{ users: {{ {} }} }}
routes: [ {{ path: "/chat/{{team}}", authenticate: [users], origins: ["*"] }} ]
)",
                                                   kind),
                                       [](const auto&) { return std::nullopt; });
      if (!loaded) FAIL(loaded.error().front().to_string());
      const Asked asked{"chat.example.com", "/chat/red", "https://app.example.com", true};
      const auto adopted = adopt(*loaded->policy, {asked, route, &before, key, "alice", ""});
      return adopted ? std::string_view("other") : row_of(adopted.error()).name;
    };
    const auto session = R"(session: { secret: [ "one of 16 octets", "two of 16 octets" ],
      redis: { url: redis://127.0.0.1:6379/1 }, subject: /user })";
    const auto tokens = R"(jwt: { issuer: any, audience: any, algorithms: [HS256],
      keys: [ { secret: "the first secret, of 32 octets: a" } ] })";
    CHECK(judged("anonymous: {}", 0) != "authenticator_gone");
    CHECK(judged(tokens, 0) == "authenticator_gone");
    CHECK(judged(session, 0) == "authenticator_gone");
    before.session = std::make_shared<const SessionSettings>();
    CHECK(judged(tokens, 0) == "authenticator_gone");
    CHECK(judged("anonymous: {}", 0) == "authenticator_gone");
    CHECK(judged(session, auth::fingerprint_of("two of 16 octets")) != "key_gone");
    CHECK(judged(session, auth::fingerprint_of("gone of 16 octet")) == "key_gone");
  }

  TEST_CASE("`allow` has to hold of what was verified, and of what the path captures") {
    CHECK(outcome({.allow = "{ claim: plan, equals: pro }"}) == "stays");
    CHECK(outcome({.allow = "{ claim: plan, equals: team }"}) == "not_allowed");
    CHECK(outcome({.allow = "{ claim: teams, contains: \"{team}\" }"}) == "stays");
    CHECK(outcome({.allow = "{ subjects: [alice] }"}) == "stays");
    CHECK(outcome({.allow = "{ subjects: [bob] }"}) == "not_allowed");
    CHECK(outcome({.allow = "nobody"}) == "not_allowed");
    CHECK(outcome({.claims = ""}, {.allow = "{ claim: plan, equals: pro }"}) == "not_allowed");
  }

  TEST_CASE("what it speaks, and with whom, cannot change under it: it comes again") {
    CHECK(outcome({.backend = "chat"}) == "policy_changed");
    CHECK(outcome({.space = "blue"}) == "policy_changed");
    const Connection proxied{.before = {.backend = "chat"}};
    CHECK(outcome(proxied, {.backend = "chat"}) == "stays");
    CHECK(outcome(proxied, {.backend = "other"}) == "policy_changed");
    CHECK(outcome(proxied, {.backend = ""}) == "policy_changed");
    CHECK(outcome(proxied, {.backend = "chat", .messages = "opaque"}) == "policy_changed");
  }

  TEST_CASE("that it is not wanted is said before that it should come again") {
    CHECK(outcome({.allow = "nobody", .backend = "chat"}) == "not_allowed");
    CHECK(outcome({.authenticate = "[others]", .allow = "nobody"}) == "authenticator_gone");
    CHECK(outcome({.path = "/other", .origins = "[\"https://other.example.com\"]"}) ==
          "route_gone");
  }
}
