#include "gateway/policy_change.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace gateway;

namespace {

LoadedPolicy load(std::string_view top, std::string_view limits = "", std::string_view more = "") {
  auto loaded = parse_policy(
      "policy.yaml",
      fmt::format("version: 1\n{}\n"
                  "authenticators: {{ guests: {{ anonymous: {{}} }}{} }}\n"
                  "routes: [ {{ path: /chat, authenticate: [guests], limits: {{ {} }} }} ]\n",
                  top, more, limits),
      [](const std::string&) { return std::nullopt; });
  if (!loaded) FAIL(loaded.error().front().to_string());
  loaded->warnings.clear();  // its own are none of a change
  return *std::move(loaded);
}

constexpr auto plain = "listen: [ { address: 127.0.0.1:8080 } ]";

std::vector<std::string> texts(const std::vector<PolicyError>& errors) {
  std::vector<std::string> texts;
  for (const auto& error : errors) texts.push_back(error.to_string());
  return texts;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_SUITE("What of another policy comes into force") {
  TEST_CASE("is all of it where nothing else changed") {
    const auto running = load(plain);
    const auto changed =
        change_policy(*running.policy, load(fmt::format("{}\nmax_connections: 7\nwatch: true\n"
                                                        "admin: {{ token: secret }}",
                                                        plain)));
    REQUIRE(changed);
    CHECK(changed->warnings.empty());
    CHECK(changed->policy->connections_max == 7);
    CHECK(changed->policy->watch);
    CHECK(changed->policy->admin_token == "secret");
  }

  TEST_CASE("is not what takes a restart: that stays, and is named") {
    const auto running = load(plain);
    const auto changed = change_policy(
        *running.policy, load("listen: [ { address: 127.0.0.1:9090 } ]\nworkers: 3\n"
                              "admin: { address: 127.0.0.1:9091 }\n"
                              "redis: { url: redis://127.0.0.1:6379/0 }\nmax_connections: 7"));
    REQUIRE(changed);
    CHECK(texts(changed->warnings) ==
          Strings{"policy.yaml: 'listen' is another one; it takes effect at a restart",
                  "policy.yaml: 'workers' is another one; it takes effect at a restart",
                  "policy.yaml: 'admin.address' is another one; it takes effect at a restart",
                  "policy.yaml: 'redis' is another one; it takes effect at a restart"});
    CHECK(changed->policy->listen == running.policy->listen);
    CHECK(changed->policy->workers == 0);
    CHECK(changed->policy->admin == running.policy->admin);
    CHECK_FALSE(changed->policy->redis);
    CHECK(changed->policy->connections_max == 7);
  }

  TEST_CASE("is nothing where limits are to be shared by a Redis that only a restart brings") {
    const auto running = load(plain);
    const auto top = fmt::format("{}\nredis: {{ url: redis://127.0.0.1:6379/0 }}", plain);
    const auto shared = "subject: { connections: 3, scope: global }";
    const auto changed = change_policy(*running.policy, load(top, shared));
    REQUIRE_FALSE(changed);
    CHECK(texts(changed.error()) ==
          Strings{"policy.yaml: 'scope: global' needs 'redis', which takes effect at a restart "
                  "only"});
    const auto running_with_redis = load(top);
    CHECK(change_policy(*running_with_redis.policy, load(top, shared)));
  }

  TEST_CASE("is nothing where login sessions would be looked for in another Redis than all else") {
    const auto at = [](int database, std::string_view own) {
      return load(fmt::format("{}\nredis: {{ url: redis://127.0.0.1:6379/{} }}", plain, database),
                  "",
                  fmt::format(", web: {{ subject_prefix: \"w:\", session: {{ secret: "
                              "\"a secret of 16 octets\", subject: /user {} }} }}",
                              own));
    };
    const auto running = at(0, "");
    CHECK(change_policy(*running.policy, at(0, "")));
    const auto changed = change_policy(*running.policy, at(1, ""));
    REQUIRE_FALSE(changed);
    CHECK(changed.error().front().what.contains("the sessions of 'web'"));
    CHECK(change_policy(*running.policy, at(1, ", redis: { url: redis://127.0.0.1:6379/2 }")));
  }

  TEST_CASE("is never an admin listener for everybody, since it stays where it is") {
    const auto running =
        load(fmt::format("{}\nadmin: {{ address: 0.0.0.0:8081, token: secret }}", plain));
    const auto changed = change_policy(
        *running.policy, load(fmt::format("{}\nadmin: {{ address: 127.0.0.1:8081 }}", plain)));
    REQUIRE_FALSE(changed);
    CHECK(changed.error().front().what.contains("'admin.token' is mandatory"));
  }
}
