// What GET /v1/policy shows of a policy, and what it does not.
#include <map>
#include <optional>
#include <string>

#include <doctest/doctest.h>
#include <jansson.h>

#include "auth/json.h"
#include "gateway/admin_policy.h"
#include "gateway/policy_file.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace {

const std::map<std::string, std::string> variables = {
    {"ADMIN_TOKEN", "of-the-admin"},
    {"JWT_SECRET", "of-the-tokens-01234567890123456789"},
    {"REDIS_URL", "redis://gate:of%2Dthe%2Dredis@10.0.0.1:7000/3"},
    {"NUMBER", "4242"},
    {"ISSUER", "https://id.example.com/of-nobody"},
    {"ADDRESS", "127.0.0.1:8081"},
    {"TIME", "7s"},
};

std::shared_ptr<const Policy> loaded(std::string_view text, auth::WallTime now = {}) {
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  auto policy = parse_policy(GATEHOUSE_TEST_POLICIES "/good/policy.yaml", text, environment, now);
  if (!policy) FAIL(policy.error().front().to_string());
  return policy->policy;
}

// What is shown at a JSON Pointer, as JSON.
std::string at(const std::string& json, std::string_view pointer) {
  const auto object = auth::parse_json_object(json);
  REQUIRE(object);
  const json_t* value = object->get();
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string name(pointer.substr(0, pointer.find('/')));
    pointer.remove_prefix(name.size());
    value = json_is_array(value) ? json_array_get(value, std::stoul(name))
                                 : json_object_get(value, name.c_str());
    REQUIRE_MESSAGE(value, name);
  }
  char* text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
  std::string result = text;
  free(text);
  return result;
}

constexpr auto everything = R"(
version: 1
listen: [ { address: "127.0.0.1:${NUMBER}" } ]
workers: ${UNSET:-4}
admin: { address: "${ADDRESS}", token: "${ADMIN_TOKEN}" }
redis: { url: "${REDIS_URL}", timeout: "${TIME}" }
handshake_timeout: 5s
drain: { timeout: "${UNSET:-2m}" }
authenticators:
  users:
    jwt:
      issuer: ${ISSUER}
      audience: [realtime, "$${literally}"]
      algorithms: [HS256, RS256, ES256]
      keys:
        - secret: ${JWT_SECRET}
        - secret: in-the-file-itself-01234567890123456789
        - secret_file: ../keys/secret.txt
        - pem_file: ../keys/rsa.pem
        - jwks_file: ../keys/jwks.json
      require: { verified: true, level: 3, ratio: 0.5, quoted: "3", what: null, of: "${JWT_SECRET}" }
backends: { chat: { servers: [ws://127.0.0.1:9001] } }
routes: [ { path: "/\"chat\"", authenticate: [users], backend: chat } ]
)";

}  // namespace

TEST_SUITE("the policy as it is shown") {
  TEST_CASE("has no secret in it, wherever that came from") {
    const auto shown = loaded(everything)->shown;
    for (const auto* secret : {"of-the-admin", "of-the-tokens", "of-the-redis", "of%2Dthe",
                               "in-the-file", "thirty-two"}) {
      CHECK_FALSE(shown.contains(secret));
    }
    for (const auto* pointer : {"/admin/token", "/authenticators/users/jwt/keys/0/secret",
                                "/authenticators/users/jwt/keys/1/secret"}) {
      CHECK(at(shown, pointer) == "\"***\"");
    }
    CHECK(at(shown, "/redis/url") == R"("redis://gate:***@10.0.0.1:7000/3")");
    CHECK(at(shown, "/authenticators/users/jwt/keys/2/secret_file") == R"("../keys/secret.txt")");
  }

  TEST_CASE("says of a variable its value where that can be no secret, and else its name") {
    const auto shown = loaded(everything)->shown;
    CHECK(at(shown, "/listen/0/address") == R"("127.0.0.1:4242")");
    CHECK(at(shown, "/admin/address") == R"("127.0.0.1:8081")");
    CHECK(at(shown, "/workers") == "4");
    CHECK(at(shown, "/drain/timeout") == R"("2m")");
    CHECK(at(shown, "/redis/timeout") == R"("7s")");
    CHECK(at(shown, "/authenticators/users/jwt/issuer") == R"("${ISSUER}")");
    CHECK(at(shown, "/authenticators/users/jwt/require/of") == R"("${JWT_SECRET}")");
  }

  TEST_CASE("has the types of the file, and its octets escaped") {
    const auto shown = loaded(everything)->shown;
    CHECK(at(shown, "/version") == "1");
    CHECK(at(shown, "/handshake_timeout") == "\"5s\"");
    const std::string require = "/authenticators/users/jwt/require/";
    CHECK(at(shown, require + "verified") == "true");
    CHECK(at(shown, require + "level") == "3");
    CHECK(at(shown, require + "ratio") == "0.5");
    CHECK(at(shown, require + "quoted") == "\"3\"");
    CHECK(at(shown, require + "what") == "null");
    CHECK(at(shown, "/routes/0/path") == R"("/\"chat\"")");
  }

  TEST_CASE("masks an alias of a secret, in whichever order the two stand") {
    const auto shown = loaded(R"(
version: 1
listen: [ { address: 127.0.0.1:8080 } ]
admin: { token: &t "${NUMBER}" }
authenticators:
  a: { subject_prefix: *t, jwt: { issuer: &i in-the-file-itself-01234567890123456789, audience: any,
       algorithms: [HS256], keys: [ { secret: *i } ] } }
backends: { chat: { servers: [ws://127.0.0.1:9001] } }
routes: [ { path: /, authenticate: [a], backend: chat } ]
)")
                           ->shown;
    CHECK_FALSE(shown.contains("4242"));
    CHECK_FALSE(shown.contains("in-the-file"));
    CHECK(at(shown, "/authenticators/a/jwt/issuer") == "\"***\"");
    CHECK(at(shown, "/authenticators/a/subject_prefix") == "\"***\"");
  }

  TEST_CASE("comes with where keys are from and how old they are") {
    const auto policy = loaded(everything, auth::WallTime(1'000'000s));
    AdminApi api;
    const proxy::Timers timers({{}, proxy::WallTime(1'000'042s)});
    add_policy_row(
        api, [&] { return policy; }, timers, [] { return std::vector<KeySetStatus>(); });
    std::string json;
    api.find("GET", {"v1", "policy"}).row->handler({}, [&](const AdminAnswer& answer) {
      json = answer.content;
    });
    CHECK(at(json, "/loaded_at") == "1000000");
    CHECK(at(json, "/policy") == at(R"({"x":)" + policy->shown + "}", "/x"));
    CHECK(
        at(json, "/key_sets/0") ==
        R"({"authenticator":"users","source":"secret","file":null,"keys":1,"age":42,"last_error":null})");
    CHECK(at(json, "/key_sets/4/file") == R"("../keys/jwks.json")");
    CHECK(at(json, "/key_sets/4/source") == R"("jwks_file")");
    CHECK(at(json, "/key_sets/2/keys") == "1");
  }
}
