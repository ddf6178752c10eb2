#include "auth/token.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "auth/base64url.h"
#include "tests/auth/json_text.h"
#include "tests/auth/signing.h"

using auth::Algorithm;
using auth::TokenError;
using auth::TokenRules;
using auth::TokenVerifier;
using tests::token;

namespace {

constexpr std::int64_t now_seconds = 1'790'000'000;
constexpr auth::WallTime now{std::chrono::seconds(now_seconds)};

TokenRules usual_rules() {
  TokenRules rules;
  rules.authenticator = "users";
  rules.issuer = "https://id.example.com/";
  rules.audience = {"realtime", "other"};
  rules.algorithms = {Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA};
  return rules;
}

std::shared_ptr<const auth::KeySet> usual_keys() {
  static const auto keys = [] {
    auth::KeySet made;
    const auto algorithms = usual_rules().algorithms;
    REQUIRE(made.add_secret(tests::secret, algorithms));
    REQUIRE(made.add_jwk_set(
        tests::jwk_set(tests::rsa_key().jwk(R"(,"kid":"rsa","alg":"RS256")") + "," +
                       tests::ec_key(Algorithm::ES256).jwk(R"(,"kid":"ec")") + "," +
                       tests::ed25519_key().jwk(R"(,"kid":"ed")")),
        algorithms));
    return std::make_shared<const auth::KeySet>(std::move(made));
  }();
  return keys;
}

// "verified", or the name of the check that failed.
std::string outcome(std::string_view text, const TokenRules& rules = usual_rules(),
                    auth::WallTime at = now) {
  const auto parsed = auth::parse_token(text);
  if (!parsed) return std::string(name_of(parsed.error()));
  const auto principal = TokenVerifier(rules, usual_keys()).verify(*parsed, at);
  return principal ? "verified" : std::string(name_of(principal.error()));
}

auth::Principal principal_of(std::string_view text, const TokenRules& rules = usual_rules()) {
  const auto parsed = auth::parse_token(text);
  REQUIRE(parsed);
  const auto principal = TokenVerifier(rules, usual_keys()).verify(*parsed, now);
  REQUIRE(principal);
  return *principal;
}

// Claims that verify, with `more` put over them: a member of the same name replaces, null for
// "absent" removes.
std::string claims(std::string_view more = "{}") {
  const auth::OwnedJson merged(json_pack("{s:s,s:s,s:s,s:I,s:I}", "iss", "https://id.example.com/",
                                         "sub", "alice", "aud", "realtime", "iat",
                                         static_cast<json_int_t>(now_seconds - 10), "exp",
                                         static_cast<json_int_t>(now_seconds + 3600)));
  const auto over = tests::json(more);
  const char* name = nullptr;
  json_t* value = nullptr;
  json_object_foreach(const_cast<json_t*>(over.get()), name, value) {
    if (json_is_string(value) && auth::string_of(value) == "absent") {
      json_object_del(merged.get(), name);
    } else {
      json_object_set(merged.get(), name, value);
    }
  }
  return auth::dump_json(merged.get());
}

std::string hs256(std::string_view more = "{}") { return token(Algorithm::HS256, claims(more)); }

std::string with_header(std::string_view header) {
  return token(Algorithm::HS256, header, claims());
}

std::string seconds_claim(std::string_view name, std::int64_t offset_seconds) {
  return "{\"" + std::string(name) + "\":" + std::to_string(now_seconds + offset_seconds) + "}";
}

// Header and claims of a good token behind a header of our own, and a signature of our own.
std::string assembled(std::string_view header, std::string_view signature) {
  return tests::signing_input(header, claims()) + "." + auth::base64url_encode(signature);
}

}  // namespace

TEST_SUITE("Tokens 1: three segments of strict base64url") {
  TEST_CASE("a good token of each type of key verifies") {
    CHECK(outcome(hs256()) == "verified");
    CHECK(outcome(token(Algorithm::RS256, claims())) == "verified");
    CHECK(outcome(token(Algorithm::ES256, claims())) == "verified");
    CHECK(outcome(token(Algorithm::EdDSA, claims())) == "verified");
  }

  TEST_CASE("nothing before, between or behind, in no other alphabet") {
    for (const Algorithm algorithm : {Algorithm::HS256, Algorithm::RS256, Algorithm::ES256}) {
      const std::string good = token(algorithm, claims());
      const std::size_t dots[] = {good.find('.'), good.rfind('.'), good.size()};
      for (const std::string junk :
           {"=", "==", "\n", "\r\n", " ", "\t", "+", "/", "~", "%3D", ",", "\x80", "."}) {
        CAPTURE(junk);
        CHECK(outcome(junk + good) == "malformed");
        for (const std::size_t dot : dots) {
          CHECK(outcome(std::string(good).insert(dot, junk)) == "malformed");
        }
        CHECK(outcome(std::string(good).insert(dots[1] + 5, junk)) == "malformed");
      }
      CHECK(outcome(good + std::string(1, '\0')) == "malformed");
      CHECK(outcome(good + "." + good) == "malformed");
    }
  }

  TEST_CASE("unused bits are zero: a signature has one text") {
    // 32 octets take 43 digits, the last of which holds four bits of them and two that are unused.
    const std::string good = hs256();
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const std::size_t last = digits.find(good.back());
    REQUIRE(last % 4 == 0);
    for (std::size_t unused = 1; unused < 4; ++unused) {
      std::string other = good;
      other.back() = digits[last + unused];
      CHECK(outcome(other) == "malformed");
    }
  }

  TEST_CASE("what is not three segments") {
    const std::string good = hs256();
    const std::string header = good.substr(0, good.find('.'));
    for (const std::string& bad : std::vector<std::string>{
             "", ".", "..", "...", "a", "a.b", header, header + ".", header + "..", "." + good,
             good + ".", good.substr(header.size())}) {
      CAPTURE(bad);
      CHECK(outcome(bad) == "malformed");
    }
  }

  TEST_CASE("no other text than the token's own verifies") {
    constexpr std::string_view octets =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/ \n";
    const std::string good = hs256();
    std::mt19937 random(1);
    for (int turn = 0; turn < 5'000; ++turn) {
      std::string text = good;
      for (auto changes = random() % 3; changes < 3; ++changes) {
        const std::size_t at = random() % text.size();
        const char octet = octets[random() % octets.size()];
        const auto change = random() % 3;
        if (change == 0) text[at] = octet;
        if (change == 1) text.insert(at, 1, octet);
        if (change == 2) text.erase(at, 1);
      }
      CAPTURE(text);
      REQUIRE((outcome(text) == "verified") == (text == good));
    }
  }

  TEST_CASE("8 KiB and no more") {
    const auto of_size = [](std::size_t octets) {
      std::string filler(octets / 2, 'x');
      std::string text;
      while (text.size() < octets) {
        text = hs256(R"({"filler":")" + filler + R"("})");
        filler.push_back('x');
      }
      CHECK(text.size() == octets);
      return text;
    };
    CHECK(outcome(of_size(auth::token_octets_max)) == "verified");
    CHECK(outcome(of_size(auth::token_octets_max + 1)) == "too_long");
    CHECK(outcome(std::string(9 * 1024 * 1024, 'a')) == "too_long");
    CHECK(outcome(std::string(auth::token_octets_max + 1, '.')) == "too_long");
    CHECK(outcome(std::string(auth::token_octets_max, '.')) == "malformed");
  }
}

TEST_SUITE("Tokens 2: the JOSE header and the claims are JSON objects") {
  TEST_CASE("in valid JSON, UTF-8, and nothing behind") {
    for (const char* header : {"", "{", "[]", R"("HS256")", "null", R"({"alg":"HS256"}x)",
                               R"({"alg":"HS256"}{})", "{\"alg\":\"HS256\",\"x\":\"\xff\"}",
                               R"({"alg":"HS256","x":"\u0000"})", R"({'alg':'HS256'})"}) {
      CAPTURE(header);
      CHECK(outcome(with_header(header)) == "malformed");
    }
    for (const char* bad : {"", "[]", "1", "{}{}", "{\"sub\":\"\xc0\xaf\"}", "{\"a\":1e999}"}) {
      CAPTURE(bad);
      CHECK(outcome(token(Algorithm::HS256, bad)) == "malformed");
    }
    CHECK(outcome(with_header(" { \"alg\" : \"HS256\" }\r\n")) == "verified");
  }

  TEST_CASE("a name twice is refused in both, at every depth, however it is written") {
    CHECK(outcome(with_header(R"({"alg":"none","alg":"HS256"})")) == "duplicate_name");
    CHECK(outcome(with_header(R"({"alg":"HS256","\u0061lg":"HS256"})")) == "duplicate_name");
    std::string twice = claims();
    twice.insert(1, R"("sub":"admin",)");
    CHECK(outcome(token(Algorithm::HS256, twice)) == "duplicate_name");
    CHECK(outcome(hs256(R"({"a":{"b":1,"c":2}})")) == "verified");
    twice = claims();
    twice.insert(1, R"("a":[{"b":1,"b":1}],)");
    CHECK(outcome(token(Algorithm::HS256, twice)) == "duplicate_name");
  }

  TEST_CASE("nesting is bounded") {
    const auto nested = [](std::size_t depth) {
      return hs256(R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}");
    };
    CHECK(outcome(nested(auth::json_depth_max - 1)) == "verified");
    std::string deep = claims();
    deep.insert(1, R"("a":)" + std::string(2000, '[') + std::string(2000, ']') + ",");
    CHECK(outcome(token(Algorithm::HS256, deep)) == "malformed");
  }

  TEST_CASE("a header is read anew where one octet of it differs from the last one") {
    const std::string good = with_header(R"({"alg":"HS256","kid":"1"})");
    for (const char* other : {R"({"alg":"HS256","kid":2})", R"({"alg":"HS255","kid":"1"})",
                              R"({"alg":"HS256","kid":"1","crit":[]})", "{}", ""}) {
      CAPTURE(other);
      CHECK(outcome(good) == "verified");
      CHECK(outcome(with_header(other)) != "verified");
    }
    CHECK(auth::parse_token(good)->key_id == "1");
    CHECK(auth::parse_token(with_header(R"({"alg":"HS256","kid":"2"})"))->key_id == "2");
    CHECK(auth::parse_token(good)->key_id == "1");
  }

  TEST_CASE("crit is refused, whatever it lists (RFC 7515 section 4.1.11)") {
    for (const char* crit :
         {R"(["exp"])", R"(["b64"])", "[]", "null", "false", R"("")", R"(["alg"])"}) {
      CAPTURE(crit);
      CHECK(outcome(with_header(R"({"alg":"HS256","exp":1,"b64":true,"crit":)" + std::string(crit) +
                                "}")) == "critical_extension");
    }
    CHECK(outcome(with_header(R"({"alg":"HS256","Crit":["x"]})")) == "verified");
  }

  TEST_CASE("typ is absent, JWT or at+jwt, a media type (RFC 7515 section 4.1.9)") {
    CHECK(outcome(with_header(R"({"alg":"HS256"})")) == "verified");
    for (const char* good : {"JWT", "jwt", "Jwt", "at+jwt", "AT+JWT", "application/at+jwt",
                             "application/jwt", "Application/JWT"}) {
      CAPTURE(good);
      CHECK(outcome(with_header(R"({"alg":"HS256","typ":")" + std::string(good) + R"("})")) ==
            "verified");
    }
    for (const char* bad :
         {R"("")", R"("JWE")", R"("JOSE")", R"("dpop+jwt")", R"("logout+jwt")", R"("secevent+jwt")",
          R"("id+jwt")", R"("JWT ")", R"("text/jwt")", R"("application/")",
          R"("application/application/jwt")", "1", "null", R"(["JWT"])", "true"}) {
      CAPTURE(bad);
      CHECK(outcome(with_header(R"({"alg":"HS256","typ":)" + std::string(bad) + "}")) ==
            "wrong_type");
    }
  }

  TEST_CASE("keys that a token brings along are ignored") {
    const std::string stranger = tests::SigningKey::ec("P-256").jwk();
    CHECK(outcome(with_header(
              R"({"alg":"HS256","jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/",)"
              R"("x5c":["AAAA"],"jwk":)" +
              stranger + "}")) == "verified");
    const tests::SigningKey own = tests::SigningKey::ec("P-256");
    const std::string header = R"({"alg":"ES256","jwk":)" + own.jwk() + "}";
    const std::string input = tests::signing_input(header, claims());
    CHECK(outcome(input + "." + auth::base64url_encode(own.sign(Algorithm::ES256, input))) ==
          "bad_signature");
  }

  TEST_CASE("alg is there and a string, kid, iss and jti are strings where they are there") {
    CHECK(outcome(with_header("{}")) == "malformed");
    CHECK(outcome(with_header(R"({"alg":1})")) == "malformed");
    CHECK(outcome(with_header(R"({"alg":["HS256"]})")) == "malformed");
    CHECK(outcome(with_header(R"({"alg":null})")) == "malformed");
    CHECK(outcome(with_header(R"({"ALG":"HS256"})")) == "malformed");
    CHECK(outcome(with_header(R"({"alg":"HS256","kid":1})")) == "malformed");
    CHECK(outcome(with_header(R"({"alg":"HS256","kid":null})")) == "malformed");
    CHECK(outcome(hs256(R"({"iss":1})")) == "malformed");
    CHECK(outcome(hs256(R"({"iss":["https://id.example.com/"]})")) == "malformed");
    CHECK(outcome(hs256(R"({"jti":1})")) == "malformed");
    CHECK(outcome(hs256(R"({"jti":"1"})")) == "verified");
  }

  TEST_CASE("what is read is what the token says") {
    const auto parsed = auth::parse_token(
        token(Algorithm::HS256, R"({"alg":"HS256","kid":"k\u0031"})", R"({"iss":"i","a":[1]})"));
    REQUIRE(parsed);
    CHECK(parsed->algorithm == "HS256");
    CHECK(parsed->key_id == "k1");
    CHECK(parsed->issuer == "i");
    CHECK(parsed->claims.to_json() == R"({"iss":"i","a":[1]})");
    CHECK(parsed->signature.size() == 32);
    const std::string text = hs256();
    CHECK(auth::parse_token(text)->signing_input == text.substr(0, text.rfind('.')));
  }
}

TEST_SUITE("Tokens 3: the authenticator and its key say which algorithm") {
  TEST_CASE("alg none is refused in every case mix, with and without a signature") {
    for (int mix = 0; mix < 16; ++mix) {
      std::string none = "none";
      for (std::size_t at = 0; at < none.size(); ++at) {
        if ((mix >> at & 1) != 0) none[at] = static_cast<char>(none[at] - 'a' + 'A');
      }
      CAPTURE(none);
      const std::string header = R"({"alg":")" + none + R"("})";
      CHECK(outcome(assembled(header, "")) == "algorithm_not_allowed");
      CHECK(outcome(assembled(header, "x")) == "algorithm_not_allowed");
      CHECK(outcome(with_header(header)) == "algorithm_not_allowed");
    }
  }

  TEST_CASE("alg is compared exactly") {
    for (const char* alg : {"hs256", "Hs256", "HS256 ", " HS256", "", "HS", "HS257", "SHA256",
                            "A256GCM", "dir", "HS256\\u0020"}) {
      CAPTURE(alg);
      CHECK(outcome(with_header(R"({"alg":")" + std::string(alg) + R"("})")) ==
            "algorithm_not_allowed");
    }
    CHECK(outcome(with_header(R"({"alg":"\u0048S256"})")) == "verified");
  }

  TEST_CASE("an algorithm that is not on the list is refused though the key could") {
    TokenRules rules = usual_rules();
    rules.algorithms = {Algorithm::RS256};
    CHECK(outcome(token(Algorithm::RS256, claims()), rules) == "verified");
    CHECK(outcome(hs256(), rules) == "algorithm_not_allowed");
    CHECK(outcome(token(Algorithm::RS512, claims())) == "algorithm_not_allowed");
  }

  TEST_CASE("key confusion: an HMAC keyed with a public key verifies nothing") {
    const std::string header = R"({"alg":"HS256","kid":"rsa"})";
    const std::string input = tests::signing_input(header, claims());
    for (const std::string& public_key :
         {tests::rsa_key().public_pem(), tests::rsa_key().pkcs1_pem(), tests::rsa_key().jwk(),
          tests::ec_key(Algorithm::ES256).public_pem(), tests::ed25519_key().public_pem()}) {
      const std::string mac = tests::hmac(Algorithm::HS256, public_key, input);
      CHECK(outcome(input + "." + auth::base64url_encode(mac)) == "bad_signature");
    }
    // With public keys alone there is no key for HS256, even where the list allows it.
    auth::KeySet keys;
    REQUIRE(keys.add_pem(tests::rsa_key().public_pem(), {Algorithm::HS256, Algorithm::RS256}));
    const TokenVerifier verifier(usual_rules(),
                                 std::make_shared<const auth::KeySet>(std::move(keys)));
    const std::string mac = tests::hmac(Algorithm::HS256, tests::rsa_key().public_pem(), input);
    const std::string forged = input + "." + auth::base64url_encode(mac);
    CHECK(verifier.verify(*auth::parse_token(forged), now).error() == TokenError::UnknownKey);
  }

  TEST_CASE("a JWK with alg RS256 verifies neither PS256 nor RS512") {
    TokenRules rules = usual_rules();
    rules.algorithms = {Algorithm::RS256, Algorithm::PS256, Algorithm::RS512};
    CHECK(outcome(token(Algorithm::PS256, claims()), rules) == "unknown_key");
    CHECK(outcome(token(Algorithm::RS512, claims()), rules) == "unknown_key");
  }

  TEST_CASE("a kid is compared and nothing else: paths, SQL, URLs name no key") {
    for (const char* kid :
         {"../../../../dev/null", "/etc/passwd", "rsa' OR '1'='1", "'; DROP TABLE keys; --",
          "http://127.0.0.1:1/keys", "rsa\\u000a", "%72sa", "RSA", "rsa ", "*", "ec", "ed"}) {
      CAPTURE(kid);
      const std::string header = R"({"alg":"RS256","kid":")" + std::string(kid) + R"("})";
      CHECK(outcome(token(Algorithm::RS256, header, claims())) == "unknown_key");
    }
    CHECK(outcome(token(Algorithm::RS256, R"({"alg":"RS256","kid":"rsa"})", claims())) ==
          "verified");
    CHECK(outcome(token(Algorithm::RS256, R"({"alg":"RS256","kid":""})", claims())) == "verified");
    CHECK(outcome(token(Algorithm::HS256, R"({"alg":"HS256","kid":"any"})", claims())) ==
          "verified");
  }
}

TEST_SUITE("Tokens 4: the signature") {
  TEST_CASE("is by our key") {
    const std::string input = tests::signing_input(R"({"alg":"HS256"})", claims());
    const auto by = [&](std::string_view key) {
      return input + "." + auth::base64url_encode(tests::hmac(Algorithm::HS256, key, input));
    };
    CHECK(outcome(by(tests::secret)) == "verified");
    CHECK(outcome(by("")) == "bad_signature");
    CHECK(outcome(by(std::string(tests::secret) + "x")) == "bad_signature");
    CHECK(outcome(input + ".") == "bad_signature");
    const std::string rs_input = tests::signing_input(R"({"alg":"RS256"})", claims());
    CHECK(outcome(rs_input + "." +
                  auth::base64url_encode(
                      tests::other_rsa_key().sign(Algorithm::RS256, rs_input))) == "bad_signature");
  }

  TEST_CASE("is over this header and these claims") {
    const std::string good = hs256();
    const std::string other = hs256(R"({"sub":"admin"})");
    CHECK(outcome(other.substr(0, other.rfind('.')) + good.substr(good.rfind('.'))) ==
          "bad_signature");
    const std::string kid = with_header(R"({"alg":"HS256","kid":"x"})");
    CHECK(outcome(kid.substr(0, kid.rfind('.')) + good.substr(good.rfind('.'))) == "bad_signature");
  }

  TEST_CASE("is looked at before the claims: a forged token learns nothing of them") {
    const std::string expired = hs256(seconds_claim("exp", -9999));
    CHECK(outcome(expired) == "expired");
    CHECK(outcome(expired.substr(0, expired.rfind('.')) + "." +
                  auth::base64url_encode(std::string(32, 'x'))) == "bad_signature");
  }

  TEST_CASE("the psychic signature") {
    CHECK(outcome(assembled(R"({"alg":"ES256"})", std::string(64, '\0'))) == "bad_signature");
  }
}

TEST_SUITE("Tokens 5: times") {
  TEST_CASE("exp is there and a number") {
    CHECK(outcome(hs256(R"({"exp":"absent"})")) == "missing_expiry");
    for (const char* bad : {R"("1790003600")", "null", "true", "[1790003600]", "{}", R"("")"}) {
      CAPTURE(bad);
      std::string text = claims(R"({"exp":"absent"})");
      text.insert(1, R"("exp":)" + std::string(bad) + ",");
      CHECK(outcome(token(Algorithm::HS256, text)) == "missing_expiry");
    }
    CHECK(outcome(hs256(R"({"exp":1790003600.25})")) == "verified");
    CHECK(outcome(hs256(R"({"exp":1.7900036e9})")) == "verified");
  }

  TEST_CASE("a token is good until exp + leeway, and not at it") {
    const std::string text = hs256(seconds_claim("exp", 0));
    const auto at = [&](int milliseconds) {
      return outcome(text, usual_rules(), now + std::chrono::milliseconds(milliseconds));
    };
    CHECK(at(-1) == "verified");
    CHECK(at(0) == "verified");
    CHECK(at(29'999) == "verified");
    CHECK(at(30'000) == "expired");
    CHECK(at(30'001) == "expired");
    CHECK(principal_of(text).good_until == now + std::chrono::seconds(30));
    TokenRules strict = usual_rules();
    strict.leeway = {};
    CHECK(outcome(text, strict, now - std::chrono::milliseconds(1)) == "verified");
    CHECK(outcome(text, strict, now) == "expired");
  }

  TEST_CASE("a fraction of a second counts") {
    const std::string text = hs256(R"({"exp":1790000000.5})");
    CHECK(principal_of(text).good_until == now + std::chrono::milliseconds(30'500));
  }

  TEST_CASE("iat and nbf are at most leeway ahead") {
    for (const char* name : {"iat", "nbf"}) {
      CAPTURE(name);
      CHECK(outcome(hs256(seconds_claim(name, -100))) == "verified");
      CHECK(outcome(hs256(seconds_claim(name, 30))) == "verified");
      CHECK(outcome(hs256(seconds_claim(name, 31))) == "not_yet_valid");
      CHECK(outcome(hs256("{\"" + std::string(name) + "\":1790000030.001}")) == "not_yet_valid");
      CHECK(outcome(hs256("{\"" + std::string(name) + "\":1e300}")) == "not_yet_valid");
      CHECK(outcome(hs256("{\"" + std::string(name) + R"(":"absent"})")) == "verified");
    }
  }

  TEST_CASE("iat and nbf that are there are numbers") {
    for (const char* name : {"iat", "nbf"}) {
      for (const char* bad : {R"("1790000000")", "null", "false", "[]"}) {
        CAPTURE(name);
        CAPTURE(bad);
        CHECK(outcome(hs256("{\"" + std::string(name) + "\":" + bad + "}")) == "malformed");
      }
    }
  }

  TEST_CASE("max_lifetime bounds exp - now, always") {
    TokenRules rules = usual_rules();
    rules.max_lifetime = std::chrono::hours(1);
    CHECK(outcome(hs256(R"({"iat":"absent","exp":1790003600})"), rules) == "verified");
    CHECK(outcome(hs256(R"({"iat":"absent","exp":1790003600.001})"), rules) == "lifetime_too_long");
    CHECK(outcome(hs256(R"({"iat":"absent","exp":1790003601})"), rules) == "lifetime_too_long");
    CHECK(outcome(hs256(R"({"iat":1790000010,"exp":1790003601})"), rules) == "lifetime_too_long");
  }

  TEST_CASE("max_lifetime bounds exp - iat where there is one") {
    TokenRules rules = usual_rules();
    rules.max_lifetime = std::chrono::hours(1);
    CHECK(outcome(hs256(R"({"iat":1789998000,"exp":1790001600})"), rules) == "verified");
    CHECK(outcome(hs256(R"({"iat":1789998000,"exp":1790001601})"), rules) == "lifetime_too_long");
    CHECK(outcome(hs256(R"({"iat":0,"exp":1790000100})"), rules) == "lifetime_too_long");
    CHECK(outcome(hs256(R"({"iat":-1e300,"exp":1790000100})"), rules) == "lifetime_too_long");
  }

  TEST_CASE("huge numbers overflow nothing") {
    for (const char* exp : {"9223372036854775807", "1e308", "253402300800", "99999999999999"}) {
      CAPTURE(exp);
      CHECK(outcome(hs256("{\"exp\":" + std::string(exp) + "}")) == "lifetime_too_long");
    }
    for (const char* exp : {"-9223372036854775808", "-1e308", "-1", "0", "-0.0", "1e-300"}) {
      CAPTURE(exp);
      CHECK(outcome(hs256("{\"exp\":" + std::string(exp) + "}")) == "expired");
    }
    for (const char* exp : {"9223372036854775808", "1e309", "-1e309", "NaN", "Infinity"}) {
      CAPTURE(exp);
      std::string text = claims(R"({"exp":"absent"})");
      text.insert(1, R"("exp":)" + std::string(exp) + ",");
      CHECK(outcome(token(Algorithm::HS256, text)) == "malformed");
    }
    TokenRules rules = usual_rules();
    rules.leeway = std::chrono::milliseconds::max();
    rules.max_lifetime = std::chrono::milliseconds::max();
    CHECK(outcome(hs256(R"({"iat":-9223372036854775808})"), rules) == "lifetime_too_long");
    CHECK(outcome(hs256(), rules) == "verified");
  }
}

TEST_SUITE("Tokens 5: issuer, audience, subject, required claims") {
  TEST_CASE("iss is ours, exactly") {
    for (const char* other : {"https://id.example.com", "https://ID.example.com/", "",
                              "https://id.example.com/x", "https://evil.example/"}) {
      CAPTURE(other);
      CHECK(outcome(hs256(R"({"iss":")" + std::string(other) + R"("})")) == "wrong_issuer");
    }
    CHECK(outcome(hs256(R"({"iss":"absent"})")) == "wrong_issuer");
    TokenRules rules = usual_rules();
    rules.issuer.reset();
    CHECK(outcome(hs256(R"({"iss":"https://evil.example/"})"), rules) == "verified");
    CHECK(outcome(hs256(R"({"iss":"absent"})"), rules) == "verified");
  }

  TEST_CASE("aud is one of ours, or an array with one of ours") {
    for (const char* good :
         {R"("realtime")", R"("other")", R"(["realtime"])", R"(["x","other","y"])"}) {
      CAPTURE(good);
      CHECK(outcome(hs256(R"({"aud":)" + std::string(good) + "}")) == "verified");
    }
    for (const char* bad :
         {R"("realtime2")", R"("Realtime")", R"("realtime other")", R"("")", "[]", R"(["x"])", "1",
          "null", R"({"realtime":1})", R"([["realtime"]])", R"(["realtime",1])", "true"}) {
      CAPTURE(bad);
      CHECK(outcome(hs256(R"({"aud":)" + std::string(bad) + "}")) == "wrong_audience");
    }
    CHECK(outcome(hs256(R"({"aud":"absent"})")) == "wrong_audience");
    TokenRules rules = usual_rules();
    rules.audience.clear();
    CHECK(outcome(hs256(R"({"aud":"elsewhere"})"), rules) == "verified");
    CHECK(outcome(hs256(R"({"aud":"absent"})"), rules) == "verified");
  }

  TEST_CASE("the subject is a string that is not empty, or an integer in decimal") {
    CHECK(principal_of(hs256()).subject == "alice");
    CHECK(principal_of(hs256(R"({"sub":17})")).subject == "17");
    CHECK(principal_of(hs256(R"({"sub":-17})")).subject == "-17");
    CHECK(principal_of(hs256(R"({"sub":9223372036854775807})")).subject == "9223372036854775807");
    for (const char* bad : {R"("")", "17.0", "1.5", "true", "null", R"(["alice"])", "{}"}) {
      CAPTURE(bad);
      CHECK(outcome(hs256(R"({"sub":)" + std::string(bad) + "}")) == "bad_subject");
    }
    CHECK(outcome(hs256(R"({"sub":"absent"})")) == "bad_subject");
  }

  TEST_CASE("the subject has at most 256 octets with its prefix, and no control characters") {
    const auto with_subject = [](std::string_view subject) {
      return hs256(R"({"sub":")" + std::string(subject) + R"("})");
    };
    TokenRules rules = usual_rules();
    rules.subject_prefix = "idp:";
    CHECK(outcome(with_subject(std::string(256, 'a'))) == "verified");
    CHECK(outcome(with_subject(std::string(257, 'a'))) == "bad_subject");
    CHECK(outcome(with_subject(std::string(252, 'a')), rules) == "verified");
    CHECK(outcome(with_subject(std::string(253, 'a')), rules) == "bad_subject");
    CHECK(outcome(with_subject(""), rules) == "bad_subject");
    for (const char* bad :
         {"a\\nb", "a\\rb", "a\\tb", "\\u0001", "a\\u007f", "a\\u0080", "a\\u009fb"}) {
      CAPTURE(bad);
      CHECK(outcome(with_subject(bad)) == "bad_subject");
    }
    CHECK(principal_of(with_subject("J\xc3\xb6rg \xf0\x9f\x90\x98")).subject ==
          "J\xc3\xb6rg \xf0\x9f\x90\x98");
  }

  TEST_CASE("the prefix is put before the subject") {
    TokenRules rules = usual_rules();
    rules.subject_prefix = "idp:";
    CHECK(principal_of(hs256(), rules).subject == "idp:alice");
    CHECK(principal_of(hs256(R"({"sub":17})"), rules).subject == "idp:17");
  }

  TEST_CASE("no token makes a guest of its bearer, however the prefix divides the word") {
    CHECK(outcome(hs256(R"({"sub":"anonymous:1"})")) == "bad_subject");
    CHECK(outcome(hs256(R"({"sub":"anonymous"})")) == "verified");
    TokenRules rules = usual_rules();
    rules.subject_prefix = "anon";
    CHECK(outcome(hs256(R"({"sub":"ymous:1"})"), rules) == "bad_subject");
    rules.subject_prefix = "idp:";
    CHECK(outcome(hs256(R"({"sub":"anonymous:1"})"), rules) == "verified");
  }

  TEST_CASE("another claim may be the subject, by name or pointer") {
    TokenRules rules = usual_rules();
    rules.subject_claim = "https://example.com/user";
    CHECK(principal_of(hs256(R"({"https://example.com/user":"bob"})"), rules).subject == "bob");
    CHECK(outcome(hs256(), rules) == "bad_subject");
    rules.subject_claim = "/user/id";
    CHECK(principal_of(hs256(R"({"user":{"id":5}})"), rules).subject == "5");
  }

  TEST_CASE("every required claim is there and equal") {
    TokenRules rules = usual_rules();
    rules.require = {{"email_verified", auth::Scalar(true)},
                     {"/realm/tenant", auth::Scalar(std::string("acme"))}};
    CHECK(outcome(hs256(R"({"email_verified":true,"realm":{"tenant":"acme"}})"), rules) ==
          "verified");
    for (const char* bad : {R"({"email_verified":true})", R"({"realm":{"tenant":"acme"}})",
                            R"({"email_verified":"true","realm":{"tenant":"acme"}})",
                            R"({"email_verified":1,"realm":{"tenant":"acme"}})",
                            R"({"email_verified":false,"realm":{"tenant":"acme"}})",
                            R"({"email_verified":[true],"realm":{"tenant":"acme"}})",
                            R"({"email_verified":true,"realm":{"tenant":"ACME"}})"}) {
      CAPTURE(bad);
      CHECK(outcome(hs256(bad), rules) == "required_claim");
    }
    rules.require = {{"gone", auth::Scalar(nullptr)}};
    CHECK(outcome(hs256(), rules) == "required_claim");
  }

  TEST_CASE("where a token opens one connection only it has an id, and its principal says so") {
    TokenRules rules = usual_rules();
    CHECK_FALSE(principal_of(hs256(R"({"jti":"t1"})"), rules).single_use);
    rules.once = true;
    CHECK(principal_of(hs256(R"({"jti":"t1"})"), rules).single_use);
    CHECK(outcome(hs256(R"({"jti":""})"), rules) == "missing_token_id");
    CHECK(outcome(hs256(R"({"jti":7})"), rules) == "malformed");
    CHECK(outcome(hs256(), rules) == "missing_token_id");
  }

  TEST_CASE("a principal is all that the token said") {
    const auth::Principal principal = principal_of(hs256(R"({"jti":"t1","teams":["a"]})"));
    CHECK(principal.authenticator == "users");
    CHECK(principal.issuer == "https://id.example.com/");
    CHECK(principal.token_id == "t1");
    CHECK(json_array_size(principal.claims.find("teams")) == 1);
    CHECK(principal.good_until == now + std::chrono::seconds(3630));
    CHECK(principal_of(hs256()).token_id.empty());
    CHECK(principal.issued_at == now - std::chrono::seconds(10));
    CHECK_FALSE(principal_of(hs256(R"({"iat":"absent"})")).issued_at);
    const auto issued = principal_of(hs256(R"({"iat":1789999990.25})")).issued_at;
    CHECK(issued == now - std::chrono::milliseconds(9'750));
  }
}

TEST_SUITE("A verifier is used from all workers at once") {
  TEST_CASE("each gets the answer that it would get alone") {
    const TokenVerifier verifier(usual_rules(), usual_keys());
    const std::string good[] = {hs256(), token(Algorithm::RS256, claims()),
                                token(Algorithm::ES256, claims()),
                                token(Algorithm::EdDSA, claims())};
    const auth::Principal shared = principal_of(good[0]);
    std::atomic<int> wrong = 0;
    const auto work = [&] {
      for (int turn = 0; turn < 50; ++turn) {
        for (const std::string& text : good) {
          if (!verifier.verify(*auth::parse_token(text), now)) ++wrong;
          std::string bad = text;
          bad[bad.size() - 5] = bad[bad.size() - 5] == 'A' ? 'B' : 'A';
          if (verifier.verify(*auth::parse_token(bad), now)) ++wrong;
        }
        const auth::Claims copy = shared.claims;
        if (copy.to_json(std::vector<std::string>{"sub"}) != R"({"sub":"alice"})") ++wrong;
      }
    };
    {
      std::vector<std::jthread> workers;
      for (int count = 0; count < 4; ++count) workers.emplace_back(work);
    }
    CHECK(wrong == 0);
  }
}

TEST_SUITE("Names of token errors") {
  TEST_CASE("each error has its own, in lower case with underscores") {
    std::vector<std::string_view> names;
    for (int error = 0; error <= static_cast<int>(TokenError::RequiredClaim); ++error) {
      const std::string_view name = name_of(static_cast<TokenError>(error));
      CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
      CHECK(std::ranges::find(names, name) == names.end());
      names.push_back(name);
    }
    CHECK(name_of(TokenError::TooLong) == "too_long");
    CHECK(name_of(TokenError::RequiredClaim) == "required_claim");
  }
}
