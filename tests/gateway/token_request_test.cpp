#include "gateway/token_request.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "auth/token.h"
#include "gateway/file_text.h"
#include "gateway/policy_file.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace {

const auth::WallTime now{std::chrono::seconds(1'800'000'000)};

const Policy& policy() {
  static const std::shared_ptr<const Policy> made = [] {
    auto loaded = parse_policy(GATEHOUSE_TEST_POLICIES "/inline.yaml",
                               R"(version: 1
listen: [ { address: 127.0.0.1:8080 } ]
authenticators:
  users:
    jwt:
      issuer: https://id.example.com/
      audience: [realtime, chat]
      algorithms: [ES256, HS512, HS256]
      keys: [ { secret: "the first secret of more than sixty-four octets, as HS512 would like it to be" },
              { secret: "a second secret of at least 32 octets" }, { pem_file: keys/ec.pem } ]
      max_lifetime: 2h
      require: { email_verified: true, level: 3 }
  nested:
    jwt: { issuer: any, audience: any, algorithms: [RS256], subject_claim: /user~1s/id,
           keys: [ { pem_file: keys/rsa.pem } ] }
  once:
    jwt: { issuer: once, audience: any, algorithms: [HS256], once: true,
           keys: [ { secret: "a second secret of at least 32 octets" } ] }
  guests: { anonymous: {} }
backends: { chat: { servers: [ws://127.0.0.1:9001] } }
routes:
  - { path: /, authenticate: [users, guests], backend: chat }
  - { path: /n, authenticate: [nested], backend: chat }
)",
                               [](const std::string&) { return std::nullopt; });
    if (!loaded) FAIL(loaded.error().front().to_string());
    return loaded->policy;
  }();
  return *made;
}

TokenRequest request(std::string authenticator, std::vector<std::string> claims = {}) {
  return {std::move(authenticator), "alice", std::move(claims), 1h, {}};
}

std::string key(const char* name) {
  return read_file(std::string(GATEHOUSE_TEST_POLICIES "/keys/") + name, 64 * 1024).value();
}

std::expected<auth::Principal, auth::TokenError> verified(const std::string& authenticator,
                                                          const std::string& token) {
  auto parsed = auth::parse_token(token);
  REQUIRE(parsed);
  return policy().authenticators.at(authenticator)->verifier->verify(*parsed, now);
}

std::string claims_of(const TokenRequest& asked) {
  auto token = make_token(policy(), asked, now);
  if (!token) FAIL(token.error());
  return std::string(auth::parse_token(*token)->claims.to_json());
}

}  // namespace

TEST_SUITE("the token command") {
  TEST_CASE("its authenticator takes the token") {
    auto token = make_token(policy(), request("users", {"plan=pro"}), now);
    REQUIRE(token);
    auto principal = verified("users", *token);
    REQUIRE(principal);
    CHECK(principal->subject == "alice");
    CHECK(principal->issuer == "https://id.example.com/");
    CHECK(auth::parse_token(*token)->algorithm == "HS512");
  }

  TEST_CASE("a private key signs with the first algorithm that it can serve") {
    TokenRequest asked = request("users");
    asked.private_key = key("ec-private.pem");
    auto token = make_token(policy(), asked, now);
    REQUIRE(token);
    CHECK(auth::parse_token(*token)->algorithm == "ES256");
    CHECK(verified("users", *token));
    asked = request("nested");
    asked.private_key = key("rsa-private.pem");
    token = make_token(policy(), asked, now);
    REQUIRE(token);
    CHECK(verified("nested", *token)->subject == "alice");
  }

  TEST_CASE("claims are JSON where they can be read as that, else text, and win") {
    CHECK(
        claims_of(request("users", {"a=1", "b=x", "c=[\"y\"]", "d=", "e=true", "f=\"1\"", "g=a=b"}))
            .contains(
                R"("a":1,"aud":"realtime","b":"x","c":["y"],"d":"","e":true,"email_verified":true)"));
    CHECK(claims_of(request("users", {"f=\"1\"", "g=a=b"})).contains(R"("f":"1","g":"a=b")"));
    CHECK(claims_of(request("users", {"aud=other", "level=4"})).contains(R"("aud":"other")"));
    CHECK(claims_of(request("users", {"/user/roles=[1]", "/user/id=2"}))
              .contains(R"("user":{"id":2,"roles":[1]})"));
  }

  TEST_CASE("a token that opens one connection has an id of its own") {
    std::vector<std::string> ids;
    for (int i = 0; i < 2; ++i) {
      const auto principal = verified("once", *make_token(policy(), request("once"), now));
      REQUIRE(principal);
      CHECK(principal->token_id.size() == 32);
      ids.push_back(principal->token_id);
    }
    CHECK(ids[0] != ids[1]);
    CHECK(verified("once", *make_token(policy(), request("once", {"jti=x"}), now))->token_id ==
          "x");
  }

  TEST_CASE("the subject is where the policy looks for it") {
    TokenRequest asked = request("nested");
    asked.private_key = key("rsa-private.pem");
    CHECK(claims_of(asked) == R"({"exp":1800003600,"iat":1800000000,"user/s":{"id":"alice"}})");
  }

  TEST_CASE("what cannot be is said, without a key in it") {
    auto why = [](const TokenRequest& asked) {
      auto token = make_token(policy(), asked, now);
      return token ? "" : token.error();
    };
    CHECK(why(request("usres")) == "no authenticator 'usres' takes tokens (did you mean 'users'?)");
    CHECK(why(request("guests")).starts_with("no authenticator 'guests' takes tokens"));
    CHECK(why(request("nested")).contains("has no secret to sign with"));
    CHECK(why(request("users", {"plan"})).contains("expected name=value"));
    CHECK(why(request("users", {"=pro"})).contains("expected name=value"));
    CHECK(why(request("users", {"plan=\xff"})).contains("UTF-8"));
    TokenRequest asked = request("users");
    asked.lifetime = 2h + 1s;
    CHECK(why(asked) == "--ttl 7201s is more than its 'max_lifetime', 2h");
    asked.lifetime = 2h;
    CHECK(why(asked) == "");
    asked = request("users");
    asked.private_key = key("rsa-private.pem");
    CHECK(why(asked).starts_with("ES256: "));
    CHECK_FALSE(why(asked).contains("BEGIN"));
    asked.private_key = "hunter2";
    CHECK_FALSE(why(asked).contains("hunter2"));
    asked = request("users");
    asked.subject = "\xff";
    CHECK(why(asked) == "the subject is not UTF-8");
  }
}
