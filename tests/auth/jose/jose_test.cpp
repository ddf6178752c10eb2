// The half of the exchange with node's jose (run) that is ours: verifies the tokens in the folder
// that GATEHOUSE_JOSE_FOLDER names, and puts tokens of ours beside them.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "auth/issue.h"
#include "auth/token.h"

using auth::Algorithm;

namespace {

constexpr auth::WallTime now{std::chrono::seconds(1'790'000'000)};

std::string path(const std::string& name) {
  const char* folder = std::getenv("GATEHOUSE_JOSE_FOLDER");
  REQUIRE_MESSAGE(folder != nullptr, "started by tests/auth/jose/run");
  return std::string(folder) + "/" + name;
}

std::string read(const std::string& name) {
  std::ifstream file(path(name), std::ios::binary);
  REQUIRE_MESSAGE(file.good(), name);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Algorithm> all() {
  std::vector<Algorithm> algorithms;
  for (std::size_t index = 0; index < auth::algorithms_count; ++index) {
    algorithms.push_back(static_cast<Algorithm>(index));
  }
  return algorithms;
}

auth::TokenVerifier verifier(auth::KeySet keys, std::vector<Algorithm> algorithms) {
  auth::TokenRules rules;
  rules.authenticator = "jose";
  rules.issuer.emplace("https://id.example.com/");
  rules.audience = {"realtime"};
  rules.algorithms = std::move(algorithms);
  return {std::move(rules), std::make_shared<const auth::KeySet>(std::move(keys))};
}

// The outcome of a token of jose's, checked against what sign.mjs put into it.
void check_accepted(const auth::TokenVerifier& verifier, const std::string& token,
                    Algorithm algorithm) {
  const auto parsed = auth::parse_token(token);
  REQUIRE(parsed);
  const auto principal = verifier.verify(*parsed, now);
  REQUIRE_MESSAGE(principal.has_value(), (principal ? "" : name_of(principal.error())));
  CHECK(principal->subject == "j\xc3\xb6rg " + std::string(name_of(algorithm)));
  CHECK(principal->token_id == name_of(algorithm));
  CHECK(principal->good_until == now + std::chrono::milliseconds(3'630'250));
  CHECK(principal->claims.to_json(std::vector<std::string>{"teams"}) ==
        R"({"teams":["red",7,null,{"deep":[true]}]})");
}

bool accepts(const auth::TokenVerifier& verifier, const std::string& token) {
  const auto parsed = auth::parse_token(token);
  return parsed && verifier.verify(*parsed, now).has_value();
}

auth::KeySet keys_from_file(Algorithm algorithm) {
  auth::KeySet keys;
  const std::string text = read(std::string(name_of(algorithm)) + ".public");
  const auto added = auth::hmac_algorithms.contains(algorithm) ? keys.add_secret(text, {algorithm})
                                                               : keys.add_pem(text, {algorithm});
  REQUIRE_MESSAGE(added.has_value(), (added ? "" : added.error().what));
  return keys;
}

auth::KeySet keys_from_jwk_set() {
  auth::KeySet keys;
  const auto added = keys.add_jwk_set(read("keys.json"), all());
  REQUIRE_MESSAGE(added.has_value(), (added ? "" : added.error().what));
  CHECK(keys.size() == auth::algorithms_count);
  return keys;
}

}  // namespace

TEST_SUITE("Exchange with node's jose") {
  TEST_CASE("its tokens verify with its JWK Set, with and without a kid") {
    const auth::TokenVerifier by_jwk_set = verifier(keys_from_jwk_set(), all());
    for (const Algorithm algorithm : all()) {
      const std::string name(name_of(algorithm));
      CAPTURE(name);
      check_accepted(by_jwk_set, read(name + ".token"), algorithm);
      check_accepted(by_jwk_set, read(name + ".plain"), algorithm);
    }
  }

  TEST_CASE("its tokens verify with its keys in PEM and its secrets, and only with their own") {
    for (const Algorithm algorithm : all()) {
      const std::string name(name_of(algorithm));
      CAPTURE(name);
      const auth::TokenVerifier by_file = verifier(keys_from_file(algorithm), {algorithm});
      check_accepted(by_file, read(name + ".token"), algorithm);
      check_accepted(by_file, read(name + ".plain"), algorithm);
      for (const Algorithm other : all()) {
        if (other == algorithm) continue;
        CHECK_FALSE(accepts(by_file, read(std::string(name_of(other)) + ".plain")));
      }
    }
  }

  TEST_CASE("its tokens with another signature do not verify") {
    const auth::TokenVerifier by_jwk_set = verifier(keys_from_jwk_set(), all());
    for (const Algorithm algorithm : all()) {
      const std::string name(name_of(algorithm));
      CAPTURE(name);
      std::string forged = read(name + ".token");
      char& octet = forged[forged.size() - 8];
      octet = octet == 'A' ? 'B' : 'A';
      CHECK_FALSE(accepts(by_jwk_set, forged));
    }
  }

  TEST_CASE("tokens of ours are written for it to verify") {
    for (const Algorithm algorithm : all()) {
      const std::string name(name_of(algorithm));
      CAPTURE(name);
      const std::string claims =
          R"({"iss":"https://id.example.com/","aud":"realtime","sub":"alice )" + name +
          R"(","exp":1790000060,"teams":["red",7,null]})";
      const auto token =
          auth::issue_token(algorithm, read(name + ".private"), claims, "key of " + name);
      REQUIRE_MESSAGE(token.has_value(), (token ? "" : token.error().what));
      CHECK(accepts(verifier(keys_from_jwk_set(), {algorithm}), *token));
      std::ofstream(path(name + ".ours"), std::ios::binary) << *token;
    }
  }
}
