// JWK Sets that somebody else keeps (SECURITY "Tokens" 6), and sets put together from others.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "auth/base64url.h"
#include "auth/key_set.h"
#include "tests/auth/signing.h"

using auth::Algorithm;
using auth::KeySet;
using tests::jwk_set;
using tests::SigningKey;
using Verdict = KeySet::Verdict;

namespace {

constexpr auth::WallTime now{std::chrono::seconds(1'790'000'000)};
constexpr std::string_view input = "a.b";

const std::vector<Algorithm> allowed = {Algorithm::RS256, Algorithm::ES256, Algorithm::HS256};

std::string secret_jwk() {
  return R"({"kty":"oct","kid":"s","k":")" + auth::base64url_encode(tests::secret) + "\"}";
}

// How many keys were left out of the set, and which was the first.
KeySet::LeftOut left_out(KeySet& keys, const std::string& jwks) {
  const auto added = keys.add_fetched_jwk_set(jwk_set(jwks), allowed);
  REQUIRE_MESSAGE(added.has_value(), (added ? "" : added.error().what));
  return *added;
}

// Why nothing of it can be used.
std::string error_of(const std::string& json) {
  KeySet keys;
  const auto added = keys.add_fetched_jwk_set(json, allowed);
  REQUIRE_FALSE(added.has_value());
  CHECK(keys.size() == 0);
  return added.error().what;
}

Verdict verdict(const KeySet& keys, Algorithm algorithm, std::string_view key_id) {
  return keys.verify(algorithm, key_id, input, tests::sign(algorithm, input), now);
}

}  // namespace

TEST_SUITE("Fetched JWK Sets") {
  TEST_CASE("a key that is of no use here is left out and counted, the others serve") {
    const auto good = tests::rsa_key().jwk(R"(,"kid":"good")");
    const struct {
      std::string what;
      std::string jwk;
    } useless[] = {
        {"another use", tests::rsa_key().jwk(R"(,"kid":"x","use":"enc")")},
        {"key_ops without verify", tests::rsa_key().jwk(R"(,"kid":"x","key_ops":["encrypt"])")},
        {"an algorithm that is not allowed", tests::rsa_key().jwk(R"(,"kid":"x","alg":"RS512")")},
        {"an algorithm that signs nothing", tests::rsa_key().jwk(R"(,"kid":"x","alg":"RSA-OAEP")")},
        {"a weak key", SigningKey::rsa(1024).jwk(R"(,"kid":"x")")},
        {"a private key", tests::rsa_key().jwk(R"(,"kid":"x","d":"AQAB")")},
        {"a type of the future", R"({"kty":"AKP","kid":"x"})"},
        {"no key", "1"},
        {"a secret", secret_jwk()},
    };
    for (const auto& each : useless) {
      CAPTURE(each.what);
      KeySet keys;
      const auto out = left_out(keys, good + "," + each.jwk);
      CHECK(out.keys == 1);
      CHECK(out.first.starts_with("keys[1]: "));
      CHECK(keys.size() == 1);
      CHECK(verdict(keys, Algorithm::RS256, "good") == Verdict::Verified);
      CHECK_FALSE(keys.names(Algorithm::RS256, "x"));
    }
  }

  TEST_CASE("a secret is none where everybody can fetch it, also where HMAC is allowed") {
    KeySet keys;
    left_out(keys, tests::rsa_key().jwk() + "," + secret_jwk());
    CHECK_FALSE(keys.serves(Algorithm::HS256));
    CHECK(verdict(keys, Algorithm::HS256, "s") == Verdict::UnknownKey);
    CHECK(error_of(jwk_set(secret_jwk())).starts_with("no key of the set is of use: keys[0]: "));
  }

  TEST_CASE("nothing is left out of a set of which every key serves") {
    KeySet keys;
    const auto out =
        left_out(keys, tests::rsa_key().jwk() + "," + tests::ec_key(Algorithm::ES256).jwk());
    CHECK(out.keys == 0);
    CHECK(out.first.empty());
    CHECK(keys.size() == 2);
  }

  TEST_CASE("what is no JWK Set is an error as a whole") {
    for (const char* text : {"", "<html>", "[]", "{}", R"({"keys":[]})", R"({"keys":{}})"}) {
      CAPTURE(text);
      CHECK(error_of(text).starts_with("no JWK Set"));
    }
    CHECK(error_of(R"({"keys":[],"keys":[]})").contains("twice"));
  }

  TEST_CASE("at most 256 keys, whatever they are") {
    std::string keys = tests::rsa_key().jwk();
    for (int i = 1; i < 256; ++i) keys += ",1";
    KeySet most;
    CHECK(left_out(most, keys).keys == 255);
    CHECK(error_of(jwk_set(keys + ",1")) == "more than 256 keys");
  }

  TEST_CASE("not_after ends keys that were fetched, too") {
    KeySet keys;
    REQUIRE(keys.add_fetched_jwk_set(jwk_set(tests::rsa_key().jwk()), allowed, now));
    CHECK(verdict(keys, Algorithm::RS256, "") == Verdict::UnknownKey);
  }
}

TEST_SUITE("Sets of sets") {
  TEST_CASE("the keys of all of them serve, and each set stays what it was") {
    KeySet first, second, both;
    left_out(first, tests::rsa_key().jwk(R"(,"kid":"1")"));
    left_out(second, tests::ec_key(Algorithm::ES256).jwk(R"(,"kid":"2")"));
    both.add_keys_of(first);
    both.add_keys_of(second);
    CHECK(verdict(both, Algorithm::RS256, "1") == Verdict::Verified);
    CHECK(verdict(both, Algorithm::ES256, "2") == Verdict::Verified);
    CHECK(verdict(first, Algorithm::ES256, "2") == Verdict::UnknownKey);
    CHECK(verdict(second, Algorithm::RS256, "1") == Verdict::UnknownKey);
  }

  TEST_CASE("a set names a key only for what it serves, and never by no name") {
    KeySet keys;
    left_out(keys, tests::rsa_key().jwk(R"(,"kid":"1")") + "," + tests::other_rsa_key().jwk());
    CHECK(keys.names(Algorithm::RS256, "1"));
    CHECK_FALSE(keys.names(Algorithm::ES256, "1"));
    CHECK_FALSE(keys.names(Algorithm::RS256, "2"));
    CHECK_FALSE(keys.names(Algorithm::RS256, ""));
  }
}
