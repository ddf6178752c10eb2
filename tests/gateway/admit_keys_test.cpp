// Deciding on tokens whose keys are fetched: what is not known is not the same as what is wrong.
#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "auth/base64url.h"
#include "auth/issue.h"
#include "gateway/admit.h"
#include "gateway/policy_file.h"
#include "gateway/refusal.h"
#include "tests/auth/signing.h"

using namespace gateway;
using auth::Algorithm;
using auth::TokenError;

namespace {

constexpr auth::WallTime now{std::chrono::seconds(1'800'000'000)};

const Policy& policy() {
  static const auto made = [] {
    auto loaded = parse_policy("policy.yaml", R"(version: 1
listen: [ { address: 127.0.0.1:8080 } ]
authenticators:
  a: { subject_prefix: "a:", jwt: { issuer: a, audience: any, algorithms: [RS256, ES256],
       keys: [ { jwks_url: https://a.example/ } ] } }
  b: { subject_prefix: "b:", jwt: { issuer: b, audience: any, algorithms: [RS256, ES256],
       keys: [ { jwks_url: https://b.example/ } ] } }
  c: { subject_prefix: "c:", jwt: { issuer: c, audience: any, algorithms: [HS256, RS256],
       keys: [ { secret: 0123456789abcdef0123456789abcdef }, { jwks_url: https://c.example/ } ] } }
routes: [ { path: /chat, authenticate: [a, b, c] } ]
)",
                               [](const std::string&) { return std::nullopt; });
    REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().front().to_string()));
    return loaded->policy;
  }();
  return *made;
}

const std::shared_ptr<const Authenticator>& authenticator(const std::string& name) {
  return policy().authenticators.at(name);
}

// A token for `issuer`, by the one RSA key or the other.
std::string token(std::string_view issuer, std::string_view key_id,
                  const tests::SigningKey& key = tests::rsa_key()) {
  const std::string kid = key_id.empty() ? "" : fmt::format(R"(,"kid":"{}")", key_id);
  const auto input =
      tests::signing_input(fmt::format(R"({{"alg":"RS256"{}}})", kid),
                           fmt::format(R"({{"iss":"{}","sub":"alice","exp":1800000600}})", issuer));
  return input + "." + auth::base64url_encode(key.sign(Algorithm::RS256, input));
}

// Of that authenticator, the RSA key under the name.
KeyNews news(const std::string& name, std::string_view key_id, bool complete = true) {
  auth::KeySet keys;
  const auto jwk =
      tests::rsa_key().jwk(key_id.empty() ? "" : fmt::format(R"(,"kid":"{}")", key_id));
  REQUIRE(keys.add_fetched_jwk_set(tests::jwk_set(jwk), {Algorithm::RS256}));
  KeyNews told;
  told.authenticator = authenticator(name);
  told.keys = std::make_shared<const auth::KeySet>(std::move(keys));
  told.complete = complete;
  return told;
}

std::expected<Admitted, Denied> decided(const KnownKeys& keys, const std::string& token) {
  const std::string value = "Bearer " + token;
  const auth::Field field{"Authorization", value};
  return decide(policy(), {"localhost", "/chat", "", {&field, 1}}, keys, now);
}

Denied denied(const KnownKeys& keys, const std::string& token) {
  const auto result = decided(keys, token);
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

}  // namespace

TEST_SUITE("Tokens whose keys are fetched") {
  TEST_CASE("nobody is told no for keys that were never there: 503") {
    const auto why = denied({}, token("a", "1"));
    CHECK(why.denial == Denial::KeysMissing);
    CHECK(why.reason() == "keys_missing");
    CHECK(why.authenticator == authenticator("a").get());
    CHECK(row_of(refusal_of(why.denial)).http_status == 503);
    CHECK_FALSE(why.key_may_have_come);
  }

  TEST_CASE("what the keys verify passes, also while others are missing") {
    for (const bool complete : {true, false}) {
      CAPTURE(complete);
      KnownKeys keys;
      keys.learn(news("a", "1", complete));
      CHECK(decided(keys, token("a", "1")).has_value());
    }
  }

  TEST_CASE("a key that is not there may have come since, or is among those missing") {
    KnownKeys keys;
    keys.learn(news("a", "1"));
    const auto why = denied(keys, token("a", "2", tests::other_rsa_key()));
    CHECK(why.token_error == TokenError::UnknownKey);
    CHECK(why.key_may_have_come);
    keys.learn(news("a", "1", false));
    CHECK(denied(keys, token("a", "2", tests::other_rsa_key())).denial == Denial::KeysMissing);
  }

  TEST_CASE("a signature that the key named did not make is wrong for ever") {
    for (const bool complete : {true, false}) {
      CAPTURE(complete);
      KnownKeys keys;
      keys.learn(news("a", "1", complete));
      const auto why = denied(keys, token("a", "1", tests::other_rsa_key()));
      CHECK(why.token_error == TokenError::BadSignature);
      CHECK_FALSE(why.key_may_have_come);
    }
  }

  TEST_CASE("where no key is named, one that did not sign it says nothing of the next") {
    KnownKeys keys;
    keys.learn(news("a", ""));
    for (const char* key_id : {"", "1"}) {
      CAPTURE(key_id);
      const auto why = denied(keys, token("a", key_id, tests::other_rsa_key()));
      CHECK(why.token_error == TokenError::BadSignature);
      CHECK(why.key_may_have_come);
    }
  }

  TEST_CASE("no key is looked for where the token is wrong without it") {
    KnownKeys keys;
    keys.learn(news("a", "1"));
    const auto input = tests::signing_input(R"({"alg":"RS512","kid":"2"})", R"({"iss":"a"})");
    const auto why = denied(keys, input + ".AAAA");
    CHECK(why.token_error == TokenError::AlgorithmNotAllowed);
    CHECK_FALSE(why.key_may_have_come);
  }

  TEST_CASE("no secret comes from a URL, so none is looked for or waited for there") {
    const auto of_secret = [](std::string_view secret) {
      return auth::issue_token(Algorithm::HS256, secret,
                               R"({"iss":"c","sub":"alice","exp":1800000600})", "unknown")
          .value();
    };
    for (const bool complete : {true, false}) {
      CAPTURE(complete);
      KnownKeys keys;
      keys.learn(news("c", "1", complete));
      const auto why = denied(keys, of_secret("fedcba9876543210fedcba9876543210"));
      CHECK(why.denial == Denial::TokenRefused);
      CHECK_FALSE(why.key_may_have_come);
      CHECK(why.authenticator == authenticator("c").get());
    }
  }

  TEST_CASE("the keys of one issuer verify nothing of another, under whatever name") {
    KnownKeys keys;
    keys.learn(news("a", "1"));
    auth::KeySet others;
    REQUIRE(others.add_fetched_jwk_set(tests::jwk_set(tests::other_rsa_key().jwk(R"(,"kid":"1")")),
                                       {Algorithm::RS256}));
    KeyNews of_b = news("b", "1");
    of_b.keys = std::make_shared<const auth::KeySet>(std::move(others));
    keys.learn(of_b);
    CHECK(decided(keys, token("a", "1")).has_value());
    CHECK(decided(keys, token("b", "1", tests::other_rsa_key())).has_value());
    CHECK(denied(keys, token("b", "1")).token_error == TokenError::BadSignature);
    CHECK(denied(keys, token("a", "1", tests::other_rsa_key())).token_error ==
          TokenError::BadSignature);
  }
}
