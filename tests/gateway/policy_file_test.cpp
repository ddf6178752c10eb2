#include "gateway/policy_file.h"

#include <filesystem>
#include <map>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace gateway;
using namespace std::chrono_literals;

namespace {

using Variables = std::map<std::string, std::string>;

Environment environment_of(Variables variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

std::string in_corpus(const char* name) { return std::string(GATEHOUSE_TEST_POLICIES "/") + name; }

LoadedPolicy loaded(std::string_view text, Variables variables = {}) {
  auto result = parse_policy("policy.yaml", text, environment_of(std::move(variables)));
  if (!result) FAIL(result.error().front().to_string());
  return *std::move(result);
}

std::string first_fault(std::string_view text, Variables variables = {}) {
  auto result = parse_policy("policy.yaml", text, environment_of(std::move(variables)));
  return result ? "" : result.error().front().to_string();
}

std::string admin_address_of(std::string_view text, Variables variables = {}) {
  const auto address =
      find_admin_address("policy.yaml", text, environment_of(std::move(variables)));
  return address ? address->to_string() : address.error().front().to_string();
}

std::string minimal(std::string_view route_more = "", std::string_view top_more = "") {
  return fmt::format(
      "version: 1\n"
      "listen: [ {{ address: 127.0.0.1:8080 }} ]\n"
      "authenticators: {{ guests: {{ anonymous: {{}} }} }}\n"
      "backends: {{ chat: {{ servers: [ws://127.0.0.1:9001] }} }}\n"
      "routes:\n"
      "  - {{ path: /chat, authenticate: [guests], backend: chat{} }}\n"
      "{}",
      route_more, top_more);
}

Route route_with(std::string_view more, Variables variables = {}) {
  return loaded(minimal(", " + std::string(more)), std::move(variables)).policy->routes.front();
}

std::string with_jwt(std::string_view more) {
  return fmt::format(
      "version: 1\n"
      "listen: [ {{ address: 127.0.0.1:8080 }} ]\n"
      "authenticators:\n"
      "  users:\n"
      "    jwt:\n"
      "      issuer: any\n"
      "      audience: any\n"
      "      algorithms: [HS256]\n"
      "      keys: [ {{ secret: \"a secret of at least thirty-two octets\" }} ]\n"
      "{}"
      "backends: {{ chat: {{ servers: [ws://127.0.0.1:9001] }} }}\n"
      "routes:\n"
      "  - {{ path: /chat, authenticate: [users], backend: chat }}\n",
      more);
}

using Place = auth::CredentialPlace;

}  // namespace

TEST_SUITE("a policy's values") {
  TEST_CASE("what is left out has the contract's default") {
    auto policy = loaded(minimal()).policy;
    CHECK(policy->file == "policy.yaml");
    CHECK(policy->listen.size() == 1);
    CHECK(policy->workers == 0);
    CHECK(policy->trusted_proxies.empty());
    CHECK(policy->handshake_timeout == 10s);
    CHECK(policy->connections_max == 100'000);
    CHECK(policy->drain.delay == 0s);
    CHECK(policy->drain.spread == 10s);
    CHECK(policy->drain.timeout == 30s);
    CHECK(policy->admin.to_string() == "127.0.0.1:8081");
    CHECK(policy->admin_token == "");
    CHECK(policy->log_level == LogLevel::Info);
    CHECK(policy->log_format == LogFormat::Json);
    CHECK(policy->backends.at("chat")->connect_timeout == 3s);
    const Route& route = policy->routes.front();
    CHECK(route.hosts.empty());
    CHECK(route.allow.kind == auth::Condition::Kind::Everyone);
    CHECK_FALSE(route.origins);
    CHECK(route.subprotocols.empty());
    CHECK_FALSE(route.connection_limits.messages.limited());
    CHECK_FALSE(route.connection_limits.octets.limited());
    CHECK(route.connection_limits.on_exceed == OnExceed::Throttle);
    CHECK_FALSE(route.ip_limits.handshakes.limited());
    CHECK(route.ip_limits.connections_max == 0);
    CHECK(route.subject_limits.connections_max == 0);
    CHECK(route.message_octets_max == 64 * 1024);
    CHECK(route.send_queue_octets_max == 1024 * 1024);
    CHECK(route.stall_timeout == 30s);
    CHECK(route.heartbeat.interval == 25s);
    CHECK(route.heartbeat.timeout == 10s);
    CHECK_FALSE(route.forward_credentials);
    CHECK_FALSE(route.forward_claims);
    CHECK(route.places.empty());
  }

  TEST_CASE("the defaults of a jwt are the contract's, and its place is Authorization") {
    auto policy = loaded(with_jwt("")).policy;
    const Authenticator& users = *policy->authenticators.at("users");
    const auth::TokenRules& rules = users.verifier->rules();
    CHECK(rules.authenticator == "users");
    CHECK_FALSE(rules.issuer);
    CHECK(rules.audience.empty());
    CHECK(rules.subject_claim == "sub");
    CHECK(rules.leeway == 30s);
    CHECK(rules.max_lifetime == 24h);
    CHECK(rules.require.empty());
    CHECK(users.places == std::vector<Place>{{Place::Kind::Header, "authorization"}});
    CHECK(users.line == 4);
  }

  TEST_CASE(
      "delay and spread of a drain fit into its timeout; a spread left out leaves time behind") {
    const auto drain = [](std::string_view keys) {
      return loaded(minimal("", fmt::format("drain: {{ {} }}\n", keys))).policy->drain;
    };
    CHECK(drain("timeout: 3s").spread == 1500ms);
    CHECK(drain("delay: 20s, timeout: 30s").spread == 5s);
    CHECK(drain("delay: 20s, timeout: 20s").spread == 0s);
    CHECK(drain("spread: 30s").spread == 30s);
    const auto fault = [](std::string_view keys) {
      return first_fault(minimal("", fmt::format("drain: {{ {} }}\n", keys)));
    };
    constexpr std::string_view too_much =
        "'delay' and 'spread' are parts of 'timeout' and must fit into it";
    CHECK(fault("delay: 20s, spread: 10001ms, timeout: 30s").ends_with(too_much));
    CHECK(fault("spread: 31s").ends_with(too_much));
    CHECK(fault("delay: 31s").ends_with(too_much));
  }

  TEST_CASE("a Redis, with the contract's defaults") {
    CHECK_FALSE(loaded(minimal()).policy->redis);
    const auto plain = loaded(minimal("", "redis: { url: redis://127.0.0.1 }\n")).policy;
    REQUIRE(plain->redis);
    CHECK(plain->redis->server.host == "127.0.0.1");
    CHECK(plain->redis->prefix == "gatehouse");
    CHECK(plain->redis->timeout == 5s);
    CHECK(plain->redis->when_down == WhenDown::Local);
    const auto all =
        loaded(minimal("",
                       "redis: { url: \"unix://:${PASSWORD}@/run/redis.sock\", prefix: "
                       "chat_1, timeout: 1s, when_down: refuse }\n"),
               {{"PASSWORD", "p"}})
            .policy;
    CHECK(all->redis->server.password == "p");
    CHECK(all->redis->prefix == "chat_1");
    CHECK(all->redis->timeout == 1s);
    CHECK(all->redis->when_down == WhenDown::Refuse);
  }

  TEST_CASE("no error about a Redis shows its password") {
    const auto fault = first_fault(minimal("", "redis: { url: redis://u:hunter2@h:x }\n"));
    CHECK_FALSE(fault.empty());
    CHECK_FALSE(fault.contains("hunter2"));
  }

  TEST_CASE("TLS towards clients and backends is what the file says") {
    auto result = load_policy(in_corpus("good/tls.yaml"), environment_of({}));
    REQUIRE(result);
    const Policy& policy = *result->policy;
    CHECK(policy.listen[0].tls);
    CHECK_FALSE(policy.listen[0].proxy_protocol);
    CHECK(policy.listen[1].proxy_protocol);
    CHECK_FALSE(policy.listen[3].tls);
    CHECK(policy.listen[3].address.path == "/run/gatehouse.sock");
    CHECK(find_listener(policy, policy.listen[3].address) == &policy.listen[3]);
    CHECK_FALSE(find_listener(policy, {policy.admin, {}}));
    const BackendSettings& chat = *policy.backends.at("chat");
    CHECK(chat.tls);
    CHECK(chat.server_name == "chat.internal");
    CHECK_FALSE(chat.servers[0].tls);
    CHECK(chat.servers[1].tls);
    CHECK(policy.backends.at("system")->tls);
    CHECK_FALSE(loaded(minimal()).policy->listen[0].tls);
  }

  TEST_CASE("everything that is written is read") {
    auto result = load_policy(in_corpus("good/everything.yaml"),
                              environment_of({{"ADMIN_TOKEN", "t0ken"},
                                              {"JWT_SECRET", "01234567890123456789012345678901"}}));
    REQUIRE(result);
    const Policy& policy = *result->policy;
    CHECK(policy.listen[1].address.to_string() == "[::1]:8443");
    CHECK(policy.workers == 4);
    CHECK(policy.trusted_proxies.size() == 3);
    CHECK(policy.handshake_timeout == 5s);
    CHECK(policy.connections_max == 2000);
    CHECK(policy.drain.delay == 5s);
    CHECK(policy.drain.spread == 55s);
    CHECK(policy.drain.timeout == 1min);
    CHECK(policy.admin.to_string() == "0.0.0.0:8081");
    CHECK(policy.admin_token == "t0ken");
    CHECK(policy.log_level == LogLevel::Debug);
    CHECK(policy.log_format == LogFormat::Text);
    const BackendSettings& chat = *policy.backends.at("chat");
    CHECK(chat.servers.size() == 3);
    CHECK(chat.servers[1].host == "::1");
    CHECK(chat.servers[1].base == "/base/path");
    CHECK(chat.connect_timeout == 500ms);
    CHECK(policy.authenticators.at("guests")->anonymous());
    CHECK(policy.routes[1].index == 1);
    CHECK(policy.routes[1].forward_claims == std::vector<std::string>{});
  }

  TEST_CASE("an authenticator is read as it is written") {
    auto result = load_policy(in_corpus("good/everything.yaml"),
                              environment_of({{"ADMIN_TOKEN", "t0ken"},
                                              {"JWT_SECRET", "01234567890123456789012345678901"}}));
    REQUIRE(result);
    const Authenticator& users = *result->policy->authenticators.at("users");
    const auth::TokenRules& rules = users.verifier->rules();
    CHECK(users.subject_prefix == "u:");
    CHECK(rules.subject_prefix == "u:");
    CHECK(rules.issuer == "https://id.example.com/");
    CHECK(rules.audience == std::vector<std::string>{"realtime", "other"});
    CHECK(rules.algorithms ==
          std::vector<auth::Algorithm>{auth::Algorithm::HS256, auth::Algorithm::RS256,
                                       auth::Algorithm::PS384, auth::Algorithm::ES256});
    CHECK(rules.subject_claim == "/user/id");
    CHECK(rules.leeway == 0s);
    CHECK(rules.max_lifetime == 30min);
    CHECK(rules.once);
    REQUIRE(rules.require.size() == 3);
    CHECK(rules.require[0].value == auth::Scalar(true));
    CHECK(rules.require[1].value == auth::Scalar(std::int64_t{3}));
    CHECK(rules.require[2].name == "https://example.com/tenant");
    CHECK(rules.require[2].value == auth::Scalar(std::string("t1")));
    CHECK(users.signing_secret == "01234567890123456789012345678901");
    CHECK(users.places == std::vector<Place>{{Place::Kind::Header, "x-access-token"},
                                             {Place::Kind::Subprotocol, "bearer."},
                                             {Place::Kind::Cookie, "access_token"},
                                             {Place::Kind::Query, "token"},
                                             {Place::Kind::Ticket, "ticket"}});
    CHECK(users.ticket_lifetime == 20s);
  }

  TEST_CASE("a route is read as it is written") {
    auto result = load_policy(in_corpus("good/everything.yaml"),
                              environment_of({{"ADMIN_TOKEN", "t0ken"},
                                              {"JWT_SECRET", "01234567890123456789012345678901"}}));
    REQUIRE(result);
    const Route& route = result->policy->routes.front();
    CHECK(route.hosts == std::vector<std::string>{"chat.example.com", "::1", "192.0.2.1"});
    CHECK(route.authenticate.size() == 3);
    CHECK(route.places.size() == 6);  // those of users, and Authorization of partners
    CHECK(route.origins->size() == 2);
    CHECK(route.subprotocols == std::vector<std::string>{"chat.v2", "chat.v1"});
    CHECK(route.connection_limits.messages.permits_per_second == 10);
    CHECK(route.connection_limits.messages.permits_max == 50);
    CHECK(route.connection_limits.on_exceed == OnExceed::Close);
    CHECK(route.ip_limits.handshakes.permits_max == 20);
    CHECK(route.ip_limits.connections_max == 50);
    CHECK(route.subject_limits.connections_max == 10);
    CHECK(route.message_octets_max == 1024 * 1024);
    CHECK(route.send_queue_octets_max == 4 * 1024 * 1024);
    CHECK(route.stall_timeout == 10s);
    CHECK(route.heartbeat.interval == 1min);
    CHECK(route.heartbeat.timeout == 500ms);
    CHECK(route.forward_credentials);
    CHECK(route.forward_claims == std::vector<std::string>{"teams", "role"});
    CHECK(auth::describe(route.allow) ==
          "{all: [{claim: teams, contains: \"{team}\"}, {any: [everyone, nobody]}, {not: "
          "{subjects: [\"u:{member}\", \"17\"]}}, {claim: sub, equals: \"u:{member}\"}, {claim: "
          "\"/user/level\", in: [1, 2.5, pro, true, null, \"no\"]}]}");
    CHECK(route.allow.line == 61);
    CHECK(route.allow.children[3].line == 65);
  }
}

TEST_SUITE("limits of a policy") {
  TEST_CASE("a bucket without a burst holds a second's worth, and at least one") {
    auto limits = route_with("limits: { connection: { messages: 10/s } }").connection_limits;
    CHECK(limits.messages.permits_max == 10);
    limits = route_with("limits: { connection: { messages: 6/m } }").connection_limits;
    CHECK(limits.messages.permits_per_second == doctest::Approx(0.1));
    CHECK(limits.messages.permits_max == 1);
  }

  TEST_CASE("the bucket of octets holds a second's worth, and at least one message") {
    auto limits = route_with("limits: { connection: { bytes: 1KiB/s } }, max_message: 64KiB");
    CHECK(limits.connection_limits.octets.permits_per_second == 1024);
    CHECK(limits.connection_limits.octets.permits_max == 64 * 1024);
    limits = route_with("limits: { connection: { bytes: 1MiB/s } }, max_message: 64KiB");
    CHECK(limits.connection_limits.octets.permits_max == 1024 * 1024);
  }

  TEST_CASE("a subject's messages have a bucket of their own") {
    auto limits = route_with("limits: { subject: { messages: 5/s } }").subject_limits;
    CHECK(limits.messages.permits_per_second == 5);
    CHECK(limits.messages.permits_max == 5);
    CHECK_FALSE(
        route_with("limits: { subject: { connections: 1 } }").subject_limits.messages.limited());
    CHECK(first_fault(minimal(", limits: { subject: { burst: 5 } }"))
              .contains("'burst' without a rate"));
  }

  TEST_CASE("a subject is counted over all instances where the policy says so and has a Redis") {
    const auto global = [](std::string_view redis) {
      return minimal(", limits: { subject: { messages: 5/s, scope: global } }", redis);
    };
    constexpr auto redis = "redis: { url: redis://127.0.0.1 }\n";
    CHECK(loaded(global(redis)).policy->routes.front().subject_limits.scope == Scope::Global);
    CHECK(route_with("limits: { subject: { messages: 5/s } }").subject_limits.scope ==
          Scope::Instance);
    CHECK(first_fault(global("")) ==
          "policy.yaml:6:102: 'scope: global' without 'redis': instances share nothing else");
    CHECK(first_fault(minimal(", limits: { room: { scope: global } }", redis)) != "");
  }

  TEST_CASE("on_exceed is one of what an opaque route can do") {
    CHECK(route_with("limits: { connection: { on_exceed: drop } }").connection_limits.on_exceed ==
          OnExceed::Drop);
    CHECK(first_fault(minimal(", limits: { connection: { on_exceed: error } }"))
              .contains("an opaque route cannot answer with 'error'"));
  }
}

TEST_SUITE("variables and secrets") {
  TEST_CASE("a variable is replaced where it stands, once") {
    auto claim = [](const std::string& written, Variables variables) {
      return route_with("forward_claims: [\"" + written + "\"]", std::move(variables))
          .forward_claims->front();
    };
    CHECK(claim("${A}", {{"A", "x"}}) == "x");
    CHECK(claim("a${A}b${B}c", {{"A", "1"}, {"B", "2"}}) == "a1b2c");
    CHECK(claim("${A:-d}", {}) == "d");
    CHECK(claim("${A:-d}", {{"A", ""}}) == "d");
    CHECK(claim("${A:-d}", {{"A", "x"}}) == "x");
    CHECK(claim("x${A:-}", {}) == "x");
    CHECK(claim("${A:-b:-c}", {}) == "b:-c");
    CHECK(claim("${A}", {{"A", "${B}"}, {"B", "x"}}) == "${B}");
    CHECK(claim("$${A}", {{"A", "x"}}) == "${A}");
    CHECK(claim("$$${A}", {{"A", "x"}}) == "$${A}");
    CHECK(claim("$A $ 5$", {{"A", "x"}}) == "$A $ 5$");
  }

  TEST_CASE("of a server's URL logs and metrics have what stands in the policy") {
    const auto policy = loaded(
                            "version: 1\nlisten: [ { address: 127.0.0.1:1 } ]\n"
                            "authenticators: { guests: { anonymous: {} } }\n"
                            "backends: { chat: { servers: [\"ws://127.0.0.1:9001/${SECRET}\"] } }\n"
                            "routes: [ { path: /, authenticate: [guests], backend: chat } ]\n",
                            {{"SECRET", "hunter2"}})
                            .policy;
    const auto& server = policy->backends.at("chat")->servers.front();
    CHECK(server.base == "/hunter2");
    CHECK(server.text == "ws://127.0.0.1:9001/${SECRET}");
  }

  TEST_CASE("a variable cannot bring a key, a list or another line") {
    const std::string text = "x\nallow: everyone";
    CHECK(first_fault(minimal(", allow: { subjects: [\"${A}\"] }"), {{"A", text}}) ==
          "policy.yaml:6:79: allow: text with a control character");
    CHECK(first_fault(minimal(", allow: { subjects: \"${A}\" }"), {{"A", "[x]"}})
              .contains("expected a list"));
    CHECK(first_fault(minimal("", "${A}: x\n"), {{"A", "workers"}}).contains("unknown key '${A}'"));
  }

  TEST_CASE("a number, a bool and a claim's value may come from a variable") {
    CHECK(route_with("forward_credentials: \"${A}\"", {{"A", "true"}}).forward_credentials);
    CHECK(loaded(minimal("", "max_connections: ${A}\n"), {{"A", "17"}}).policy->connections_max ==
          17);
    auto value = [](const std::string& written, const char* variable) {
      return route_with("allow: { claim: a, equals: " + written + " }", {{"A", variable}})
          .allow.values.front();
    };
    CHECK(value("\"${A}\"", "17") == auth::Scalar(std::string("17")));  // in quotes: text
    const std::string block = "\n    allow:\n      claim: a\n      equals: ${A}\n";
    std::string text = minimal();
    text.replace(text.find("  - {"), std::string::npos,
                 "  - path: /chat\n    authenticate: [guests]\n    backend: chat" + block);
    CHECK(loaded(text, {{"A", "17"}}).policy->routes[0].allow.values[0] ==
          auth::Scalar(std::int64_t{17}));
  }

  TEST_CASE("a variable that is too long, or no text, is a fault") {
    auto fault = [](std::string value) {
      return first_fault(minimal(", allow: { subjects: [\"${A}\"] }"), {{"A", std::move(value)}});
    };
    CHECK(fault(std::string(100'000, 'x')).ends_with("longer than 64 KiB"));
    CHECK(fault(std::string("a\0b", 3)).ends_with("not UTF-8, or with an octet 0"));
    CHECK(fault("\xff").ends_with("not UTF-8, or with an octet 0"));
  }

  TEST_CASE("no fault shows what a secret or a variable holds") {
    const std::string secret = "hunter2";
    const Variables variables = {{"SECRET", secret}};
    for (const std::string& text : {
             with_jwt("        - secret: ${SECRET}\n"),
             minimal("", "admin: { token: \"hunter2 \" }\n"),
             minimal("", "admin: { token: \"${SECRET} \" }\n"),
             minimal("", "workers: ${SECRET}\n"),
             minimal("", "log: { level: \"${SECRET}\" }\n"),
             minimal(", max_message: \"${SECRET}\""),
             minimal(", origins: [\"${SECRET}\"]"),
             minimal(", hosts: [\"${SECRET}:1\"]"),
             minimal("", "listen: ${SECRET}\n"),
             minimal(", subprotocols: [\"${SECRET} \"]"),
             minimal(", limits: { connection: { on_exceed: \"${SECRET}\" } }"),
             minimal(", messages: \"${SECRET}\""),
             minimal(", messages: { json: { action: \"${SECRET}\" } }"),
             minimal(", messages: { json: { action: /a, room: /b, join: [\"${SECRET}\", "
                     "\"${SECRET}\"] } }"),
             minimal(", messages: rooms, rooms: [ { match: \"{${SECRET} x}\" } ]"),
             with_jwt("    credentials: [ { header: \"${SECRET} \" } ]\n"),
             with_jwt("      subject_claim: \"/~${SECRET}\"\n"),
         }) {
      auto result = parse_policy("policy.yaml", text, environment_of(variables));
      REQUIRE_FALSE(result);
      for (const PolicyError& error : result.error()) {
        CAPTURE(error.to_string());
        CHECK_FALSE(error.to_string().contains(secret));
      }
    }
  }

  TEST_CASE("a secret in a file is all of it but the end of its line") {
    auto result = load_policy(in_corpus("good/everything.yaml"),
                              environment_of({{"ADMIN_TOKEN", "t0ken"},
                                              {"JWT_SECRET", "01234567890123456789012345678901"}}));
    REQUIRE(result);
    CHECK(result->policy->authenticators.at("partners")->signing_secret ==
          "a secret of at least thirty-two octets");
  }
}

TEST_SUITE("the file itself") {
  TEST_CASE("a file that is not there is one clear line") {
    auto result = load_policy("/nonexistent/policy.yaml", environment_of({}));
    REQUIRE_FALSE(result);
    REQUIRE(result.error().size() == 1);
    CHECK(result.error()[0].to_string().starts_with(
        "/nonexistent/policy.yaml: cannot be read: No such file or directory"));
    CHECK(result.error()[0].what.contains("--policy"));
  }

  TEST_CASE("a folder and a file that is too large are no policies") {
    CHECK_FALSE(load_policy("/", environment_of({})));
    auto endless = load_policy("/dev/zero", environment_of({}));
    REQUIRE_FALSE(endless);
    CHECK(endless.error()[0].what.contains("larger than 1024 KiB"));
  }

  TEST_CASE("faults are in the order of the file, whichever was found first") {
    auto result = parse_policy("policy.yaml", "routes: 1\nlisten: 2\nversion: 3\nversion: 4\n",
                               environment_of({}));
    REQUIRE_FALSE(result);
    std::vector<int> lines;
    for (const PolicyError& error : result.error()) lines.push_back(error.line);
    CHECK(lines == std::vector<int>{1, 2, 3, 4});
  }

  TEST_CASE("faults are bounded") {
    std::string text = "version: 1\n";
    for (int i = 0; i < 1000; ++i) text += fmt::format("unknown_{}: 1\n", i);
    auto result = parse_policy("policy.yaml", text, environment_of({}));
    REQUIRE_FALSE(result);
    CHECK(result.error().size() == 100);
  }

  TEST_CASE("JSON is YAML") {
    CHECK(loaded(R"({"version": 1, "listen": [{"address": "127.0.0.1:8080"}],
      "authenticators": {"guests": {"anonymous": {}}},
      "backends": {"chat": {"servers": ["ws://127.0.0.1:9001"]}},
      "max_connections": 5,
      "routes": [{"path": "/chat", "authenticate": ["guests"], "backend": "chat",
                  "forward_credentials": true}]})")
              .policy->routes[0]
              .forward_credentials);
  }
}

TEST_SUITE("warnings of a policy") {
  TEST_CASE("two authenticators of one issuer that look at one place") {
    auto warnings = [](std::string_view second_issuer) {
      std::string jwt =
          "jwt: { issuer: https://a.example/, audience: any, algorithms: [HS256], keys: [ { "
          "secret: "
          "\"a secret of at least thirty-two octets\" } ] }";
      std::string other = jwt;
      other.replace(other.find("https://a.example/"), 18, second_issuer);
      return loaded(
                 "version: 1\nlisten: [ { address: 127.0.0.1:8080 } ]\nauthenticators:\n  a: { " +
                 jwt + " }\n  b: { " + other +
                 ", subject_prefix: \"b:\" }\nbackends: { chat: { servers: [ws://127.0.0.1:9001] } "
                 "}\nroutes:\n  - { path: /chat, authenticate: [a, b], backend: chat }\n")
          .warnings;
    };
    CHECK(warnings("https://b.example/").empty());
    REQUIRE(warnings("https://a.example/").size() == 1);
    CHECK(warnings("https://a.example/")[0].to_string() ==
          "policy.yaml:8:38: 'b' looks where 'a' does, for the same issuer: there the first of the "
          "two decides alone");
  }

  TEST_CASE("what no route uses, and a connect_timeout that is never reached") {
    auto warnings = loaded(minimal("", "handshake_timeout: 2s\n")).warnings;
    CHECK(warnings.empty());  // the default of connect_timeout is nobody's mistake
    std::string text = minimal("", "handshake_timeout: 2s\n");
    text.replace(text.find("servers:"), 0, "connect_timeout: 2s, ");
    text.replace(text.find("guests: {"), 0, "more: { anonymous: {} }, ");
    text.replace(text.find("chat: {"), 0, "spare: { servers: [ws://127.0.0.1:9002] }, ");
    warnings = loaded(text).warnings;
    REQUIRE(warnings.size() == 3);
    CHECK(warnings[0].to_string() == "policy.yaml:3:19: no route uses 'more'");
    CHECK(warnings[1].to_string() == "policy.yaml:4:13: no route uses 'spare'");
    CHECK(warnings[2].to_string() ==
          "policy.yaml:4:81: 'handshake_timeout' ends a handshake before this does");
  }
}

TEST_SUITE("where a running instance is asked how it is") {
  TEST_CASE("is known from the admin's address alone, or its default") {
    CHECK(admin_address_of("admin: { address: \"[::1]:9000\" }") == "[::1]:9000");
    CHECK(admin_address_of(
              "admin: { token: \"${UNSET}\", address: 10.0.0.1:80, tokne: x }\nroutes: 7") ==
          "10.0.0.1:80");
    CHECK(admin_address_of("admin: { address: \"${HERE}\" }", {{"HERE", "127.0.0.1:1"}}) ==
          "127.0.0.1:1");
    CHECK(admin_address_of("version: 2") == "127.0.0.1:8081");
    CHECK(admin_address_of("admin: 7") == "127.0.0.1:8081");
  }

  TEST_CASE("is not known where that is wrong, or nothing can be read") {
    CHECK(admin_address_of("admin: { address: here }").contains("address: expected an IP address"));
    CHECK(admin_address_of("admin: { address: \"${HERE}\" }").contains("HERE is not set"));
    CHECK(admin_address_of("admin: { address: [").starts_with("policy.yaml:"));
    CHECK(admin_address_of("").starts_with("policy.yaml"));
  }
}

TEST_SUITE("how long a connection lasts") {
  TEST_CASE("the defaults are the contract's") {
    const auto route = loaded(minimal()).policy->routes.at(0);
    CHECK(route.lifetime.warn == 30s);
    CHECK(route.lifetime.grace == 0s);
    CHECK(route.lifetime.session_max == 24h);
    CHECK_FALSE(route.refuse_with_close);
    CHECK_FALSE(route.first_message);
  }

  TEST_CASE("what the policy says is what holds; of several first messages the shortest") {
    auto result = load_policy(in_corpus("good/lifetime.yaml"), environment_of({}));
    REQUIRE(result);
    const auto& routes = result->policy->routes;
    CHECK(routes.at(0).lifetime.warn == 1min);
    CHECK(routes.at(0).lifetime.grace == 5s);
    CHECK(routes.at(0).lifetime.session_max == 12h);
    CHECK(routes.at(0).refuse_with_close);
    CHECK(routes.at(0).first_message == 500ms);
    CHECK(routes.at(1).first_message == 5s);
    CHECK(routes.at(1).lifetime.warn == 0s);
    CHECK(routes.at(1).lifetime.grace == 1h);
  }
}
