// The examples that the RFCs print, word for word.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "auth/key_set.h"
#include "auth/token.h"

using auth::Algorithm;
using auth::KeySet;
using auth::TokenError;
using Verdict = KeySet::Verdict;

namespace {

const std::vector<Algorithm> all = {
    Algorithm::HS256, Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::RS384,
    Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512, Algorithm::ES256,
    Algorithm::ES384, Algorithm::ES512, Algorithm::EdDSA};

// RFC 7519 section 3.1: expires at 1300819380.
const std::string joe =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";

constexpr const char* a1_key =
    R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";
const std::string a1 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + joe +
                       ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

constexpr const char* a2_key =
    R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})";
const std::string a2 =
    "eyJhbGciOiJSUzI1NiJ9." + joe +
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L"
    "07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUi"
    "pUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

constexpr const char* a3_key =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
const std::string a3 =
    "eyJhbGciOiJFUzI1NiJ9." + joe +
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

constexpr const char* a4_key =
    R"({"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"})";

constexpr const char* rfc8037_key =
    R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";

constexpr const char* rfc7517_ec_key =
    R"({"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"})";
constexpr const char* rfc7517_rsa_key =
    R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"})";
constexpr const char* rfc7517_wrapping_key =
    R"({"kty":"oct","alg":"A128KW","k":"GawgguFyGrWKav7AX4VKUg"})";
constexpr const char* rfc7517_hmac_key =
    R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow","kid":"HMAC key used in JWS spec Appendix A.1 example"})";

auth::TokenRules rules_for_joe() {
  auth::TokenRules rules;
  rules.issuer.emplace("joe");
  rules.algorithms = {Algorithm::HS256};
  rules.subject_claim = "iss";
  rules.leeway = {};
  return rules;
}

std::string set_of(const std::string& jwks) { return R"({"keys":[)" + jwks + "]}"; }

std::shared_ptr<const KeySet> keys_of(const std::string& jwk) {
  KeySet keys;
  REQUIRE(keys.add_jwk_set(set_of(jwk), all));
  return std::make_shared<const KeySet>(std::move(keys));
}

Verdict verdict(const char* jwk, Algorithm algorithm, std::string_view token) {
  const auto parsed = auth::parse_token(token);
  REQUIRE(parsed);
  return keys_of(jwk)->verify(algorithm, parsed->key_id, parsed->signing_input, parsed->signature,
                              auth::WallTime{});
}

}  // namespace

TEST_SUITE("RFC 7515 appendix A") {
  TEST_CASE("A.1, A.2 and A.3 verify with their own keys and no other") {
    CHECK(verdict(a1_key, Algorithm::HS256, a1) == Verdict::Verified);
    CHECK(verdict(a2_key, Algorithm::RS256, a2) == Verdict::Verified);
    CHECK(verdict(a3_key, Algorithm::ES256, a3) == Verdict::Verified);
    CHECK(verdict(rfc7517_rsa_key, Algorithm::RS256, a2) == Verdict::BadSignature);
    CHECK(verdict(a2_key, Algorithm::HS256, a1) == Verdict::UnknownKey);
    CHECK(verdict(a1_key, Algorithm::RS256, a2) == Verdict::UnknownKey);
  }

  TEST_CASE("A.4: a payload that is no JSON, so no token, verifies as a signature") {
    const std::string signing_input = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA";
    const std::string token =
        signing_input +
        ".AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7Xdt"
        "AG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    const auto parsed = auth::parse_token(token);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == TokenError::Malformed);
    // The same signature behind claims that parse_token() reads, for its decoded octets.
    const auto decoded =
        auth::parse_token("eyJhbGciOiJFUzUxMiJ9.e30" + token.substr(token.rfind('.')));
    REQUIRE(decoded);
    const auto keys = keys_of(a4_key);
    CHECK(keys->verify(Algorithm::ES512, "", signing_input, decoded->signature, {}) ==
          Verdict::Verified);
    CHECK(keys->verify(Algorithm::ES512, "", decoded->signing_input, decoded->signature, {}) ==
          Verdict::BadSignature);
  }

  TEST_CASE("A.5: an unsecured JWS is refused") {
    const auto parsed = auth::parse_token("eyJhbGciOiJub25lIn0." + joe + ".");
    REQUIRE(parsed);
    auth::TokenRules rules;
    rules.algorithms = all;
    const auto principal = auth::TokenVerifier(rules, keys_of(a1_key)).verify(*parsed, {});
    REQUIRE_FALSE(principal);
    CHECK(principal.error() == TokenError::AlgorithmNotAllowed);
  }
}

TEST_SUITE("RFC 7519 section 3.1") {
  TEST_CASE("the example is Joe's until 1300819380") {
    const auth::TokenVerifier verifier(rules_for_joe(), keys_of(a1_key));
    const auto parsed = auth::parse_token(a1);
    REQUIRE(parsed);
    CHECK(parsed->claims.to_json() ==
          "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
    const auth::WallTime expiry{std::chrono::seconds(1'300'819'380)};
    const auto principal = verifier.verify(*parsed, expiry - std::chrono::seconds(1));
    REQUIRE(principal);
    CHECK(principal->subject == "joe");
    CHECK(principal->good_until == expiry);
    CHECK(verifier.verify(*parsed, expiry).error() == TokenError::Expired);
  }
}

TEST_SUITE("RFC 8037 appendix A") {
  TEST_CASE("A.4: Ed25519") {
    const std::string signing_input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const auto decoded = auth::parse_token(
        "eyJhbGciOiJFZERTQSJ9.e30."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    REQUIRE(decoded);
    const auto keys = keys_of(rfc8037_key);
    CHECK(keys->verify(Algorithm::EdDSA, "", signing_input, decoded->signature, {}) ==
          Verdict::Verified);
    CHECK(keys->verify(Algorithm::EdDSA, "", signing_input + "x", decoded->signature, {}) ==
          Verdict::BadSignature);
  }
}

TEST_SUITE("RFC 7517 appendix A") {
  TEST_CASE("A.1: the key for encryption makes the set an error, the other one is taken") {
    KeySet keys;
    const auto both =
        keys.add_jwk_set(set_of(std::string(rfc7517_ec_key) + "," + rfc7517_rsa_key), all);
    REQUIRE_FALSE(both);
    CHECK(both.error().what == "keys[0]: 'use' is another one than 'sig'");
    REQUIRE(keys.add_jwk_set(set_of(rfc7517_rsa_key), all));
    CHECK(keys.serves(Algorithm::RS256));
    CHECK_FALSE(keys.serves(Algorithm::RS512));
  }

  TEST_CASE("A.3: the key that wraps keys is an error, the one for HMAC is taken") {
    KeySet keys;
    const auto both =
        keys.add_jwk_set(set_of(std::string(rfc7517_hmac_key) + "," + rfc7517_wrapping_key), all);
    REQUIRE_FALSE(both);
    CHECK(both.error().what == "keys[1]: 'alg' names no algorithm that tokens are signed with");
    CHECK(verdict(rfc7517_hmac_key, Algorithm::HS256, a1) == Verdict::Verified);
  }
}
