#include "auth/issue.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "auth/key_set.h"
#include "auth/token.h"
#include "tests/auth/signing.h"

using auth::Algorithm;
using auth::issue_token;
using tests::SigningKey;

namespace {

constexpr std::string_view claims = R"({"sub":"alice","exp":1790003600,"teams":["a",1.5,null]})";

std::string key_text(Algorithm algorithm) {
  if (auth::hmac_algorithms.contains(algorithm)) return std::string(tests::secret);
  return tests::key_for(algorithm).private_pem();
}

std::string error_of(Algorithm algorithm, std::string_view key,
                     std::string_view claims_json = claims, std::string_view key_id = {}) {
  const auto token = issue_token(algorithm, key, claims_json, key_id);
  return token ? "" : token.error().what;
}

}  // namespace

TEST_SUITE("Issuing tokens") {
  TEST_CASE("a token of each algorithm verifies and says what it was told") {
    for (std::size_t index = 0; index < auth::algorithms_count; ++index) {
      const auto algorithm = static_cast<Algorithm>(index);
      CAPTURE(name_of(algorithm));
      auth::KeySet keys;
      if (auth::hmac_algorithms.contains(algorithm)) {
        REQUIRE(keys.add_secret(tests::secret, {algorithm}));
      } else {
        REQUIRE(keys.add_pem(tests::key_for(algorithm).public_pem(), {algorithm}));
      }
      const auto token = issue_token(algorithm, key_text(algorithm), claims, R"(k "1")");
      REQUIRE(token);
      const auto parsed = auth::parse_token(*token);
      REQUIRE(parsed);
      CHECK(parsed->algorithm == name_of(algorithm));
      CHECK(parsed->key_id == R"(k "1")");
      CHECK(parsed->claims.to_json(std::vector<std::string>{"sub", "exp", "teams"}) == claims);
      CHECK(keys.verify(algorithm, "", parsed->signing_input, parsed->signature, {}) ==
            auth::KeySet::Verdict::Verified);
      CHECK(auth::parse_token(*issue_token(algorithm, key_text(algorithm), claims))->key_id == "");
    }
  }

  TEST_CASE("a key is held to the rules of those that verify") {
    CHECK(error_of(Algorithm::HS256, std::string(31, 's')).contains("at least 32"));
    CHECK(error_of(Algorithm::HS256, "").contains("at least 32"));
    CHECK(error_of(Algorithm::RS256, SigningKey::rsa(1024).private_pem()).contains("1024 bits"));
    CHECK(error_of(Algorithm::RS256, key_text(Algorithm::ES256)).contains("not for RS256"));
    CHECK(error_of(Algorithm::ES256, key_text(Algorithm::ES384)).contains("not for ES256"));
    CHECK(error_of(Algorithm::ES384, key_text(Algorithm::EdDSA)).contains("not for ES384"));
    CHECK(error_of(Algorithm::EdDSA, key_text(Algorithm::PS256)).contains("not for EdDSA"));
    CHECK(error_of(Algorithm::PS256, key_text(Algorithm::EdDSA)).contains("not for PS256"));
    CHECK(error_of(Algorithm::RS256, SigningKey::rsa_pss(2048).private_pem())
              .contains("not for RS256"));
  }

  TEST_CASE("an asymmetric algorithm takes a private key that can be read without asking") {
    for (const Algorithm algorithm : {Algorithm::RS256, Algorithm::PS256, Algorithm::EdDSA}) {
      CHECK(error_of(algorithm, tests::key_for(algorithm).public_pem()).contains("no private key"));
      CHECK(error_of(algorithm, tests::secret).contains("no private key"));
      CHECK(error_of(algorithm, "").contains("no private key"));
    }
    const std::string encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBA6yZMCgLdDxW4lhjqs\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";
    CHECK(error_of(Algorithm::RS256, encrypted).contains("without a passphrase"));
  }

  TEST_CASE("the claims are one JSON object") {
    for (const char* bad : {"", "[]", "1", "{", R"({"a":1,"a":2})", "{} x"}) {
      CAPTURE(bad);
      CHECK(error_of(Algorithm::HS256, tests::secret, bad).contains("claims"));
      CHECK(error_of(Algorithm::EdDSA, key_text(Algorithm::EdDSA), bad).contains("claims"));
    }
  }

  TEST_CASE("a token that nobody would read is not issued") {
    const auto filled = [](std::size_t octets) {
      return R"({"a":")" + std::string(octets, 'x') + R"("})";
    };
    for (const Algorithm algorithm : {Algorithm::HS256, Algorithm::EdDSA}) {
      CHECK(error_of(algorithm, key_text(algorithm), filled(5000)) == "");
      CHECK(error_of(algorithm, key_text(algorithm), filled(6100)).contains("8192 octets"));
      CHECK(error_of(algorithm, key_text(algorithm), filled(9'000'000)).contains("8192 octets"));
      CHECK(error_of(algorithm, key_text(algorithm), "{}", std::string(9'000'000, 'k'))
                .contains("8192 octets"));
    }
  }

  TEST_CASE("no error tells what the key is") {
    CHECK_FALSE(error_of(Algorithm::HS256, "hunter2").contains("hunter2"));
  }
}
