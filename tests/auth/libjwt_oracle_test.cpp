// libjwt, which others wrote, as a second opinion: it must accept what we accept. Where it accepts
// what we refuse, this says so: that is why it does not decide here (RFC 8725).
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <jwt.h>

#include "auth/base64url.h"
#include "auth/key_set.h"
#include "auth/token.h"
#include "tests/auth/signing.h"

using auth::Algorithm;

namespace {

constexpr std::string_view claims = R"({"sub":"alice","exp":1790003600})";

bool libjwt_accepts(const std::string& token, std::string_view key) {
  jwt_t* jwt = nullptr;
  const int failed =
      jwt_decode(&jwt, token.c_str(), auth::octets_of(key), static_cast<int>(key.size()));
  jwt_free(jwt);
  return failed == 0;
}

bool we_accept(std::string_view token, std::string_view key) {
  const std::vector<Algorithm> algorithms = {Algorithm::HS256, Algorithm::HS384, Algorithm::HS512,
                                             Algorithm::RS256, Algorithm::RS384, Algorithm::RS512,
                                             Algorithm::ES256, Algorithm::ES384, Algorithm::ES512};
  auth::KeySet keys;
  const bool added = key.starts_with("-----BEGIN") ? keys.add_pem(key, algorithms).has_value()
                                                   : keys.add_secret(key, algorithms).has_value();
  const auto parsed = auth::parse_token(token);
  auth::TokenRules rules;
  rules.algorithms = algorithms;
  return added && parsed &&
         auth::TokenVerifier(rules, std::make_shared<const auth::KeySet>(std::move(keys)))
             .verify(*parsed, auth::WallTime(std::chrono::seconds(1'790'000'000)))
             .has_value();
}

std::string key_text(Algorithm algorithm) {
  if (auth::hmac_algorithms.contains(algorithm)) return std::string(tests::secret);
  return tests::key_for(algorithm).public_pem();
}

}  // namespace

TEST_SUITE("libjwt as an oracle") {
  TEST_CASE("both accept a good token of the nine algorithms that libjwt has, and no forged one") {
    for (const Algorithm algorithm :
         {Algorithm::HS256, Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::RS384,
          Algorithm::RS512, Algorithm::ES256, Algorithm::ES384, Algorithm::ES512}) {
      CAPTURE(name_of(algorithm));
      const std::string good = tests::token(algorithm, claims);
      CHECK(libjwt_accepts(good, key_text(algorithm)));
      CHECK(we_accept(good, key_text(algorithm)));
      const std::string other = tests::token(algorithm, R"({"sub":"bob","exp":1790003600})");
      const std::string forged = other.substr(0, other.rfind('.')) + good.substr(good.rfind('.'));
      CHECK_FALSE(libjwt_accepts(forged, key_text(algorithm)));
      CHECK_FALSE(we_accept(forged, key_text(algorithm)));
    }
  }

  TEST_CASE("we refuse what it accepts: confusion, weak and wrong keys, crit, duplicates, junk") {
    const std::string pem = tests::rsa_key().public_pem();
    const std::string input = tests::signing_input(R"({"alg":"HS256"})", claims);
    const std::string confused =
        input + "." + auth::base64url_encode(tests::hmac(Algorithm::HS256, pem, input));
    const std::string rs256 = tests::token(Algorithm::RS256, claims);
    const tests::SigningKey weak = tests::SigningKey::rsa(1024);
    const std::string rs_input = tests::signing_input(R"({"alg":"RS256"})", claims);
    const std::string by_weak =
        rs_input + "." + auth::base64url_encode(weak.sign(Algorithm::RS256, rs_input));
    const std::string es_input = tests::signing_input(R"({"alg":"ES256"})", claims);
    const std::pair<std::string, std::string> accepted_by_libjwt[] = {
        {confused, pem},
        {rs256 + "==", pem},
        {rs256 + "\n", pem},
        {by_weak, weak.public_pem()},
        {tests::token(Algorithm::HS256, R"({"alg":"HS256","crit":["x"],"x":1})", claims),
         std::string(tests::secret)},
        {tests::token(Algorithm::HS256, R"({"sub":"a","sub":"b","exp":1790003600})"),
         std::string(tests::secret)},
        {tests::token(Algorithm::HS256, R"({"sub":"expired","exp":1})"),
         std::string(tests::secret)},
    };
    for (const auto& [token, key] : accepted_by_libjwt) {
      CAPTURE(token);
      CHECK(libjwt_accepts(token, key));
      CHECK_FALSE(we_accept(token, key));
    }
  }
}
