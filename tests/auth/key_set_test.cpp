#include "auth/key_set.h"

#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "auth/base64url.h"
#include "tests/auth/signing.h"

using auth::Algorithm;
using auth::KeySet;
using tests::jwk_set;
using tests::SigningKey;
using Verdict = KeySet::Verdict;

namespace {

constexpr auth::WallTime now{std::chrono::seconds(1'790'000'000)};

const std::vector<Algorithm> all = {
    Algorithm::HS256, Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::RS384,
    Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512, Algorithm::ES256,
    Algorithm::ES384, Algorithm::ES512, Algorithm::EdDSA};

// The operator's sentence, or "" where the set took it.
std::string pem_error(const std::string& pem, const std::vector<Algorithm>& algorithms = all) {
  KeySet keys;
  const auto added = keys.add_pem(pem, algorithms);
  CHECK(keys.size() == (added ? 1 : 0));
  return added ? "" : added.error().what;
}

std::string jwk_error(const std::string& jwk, const std::vector<Algorithm>& algorithms = all) {
  KeySet keys;
  const auto added = keys.add_jwk_set(jwk_set(jwk), algorithms);
  CHECK(keys.size() == (added ? 1 : 0));
  return added ? "" : added.error().what;
}

std::string secret_error(std::string_view secret, const std::vector<Algorithm>& algorithms = all) {
  KeySet keys;
  const auto added = keys.add_secret(secret, algorithms);
  return added ? "" : added.error().what;
}

KeySet keys_of_jwks(const std::string& jwks, const std::vector<Algorithm>& algorithms = all) {
  KeySet keys;
  const auto added = keys.add_jwk_set(jwk_set(jwks), algorithms);
  REQUIRE_MESSAGE(added.has_value(), (added ? "" : added.error().what));
  return keys;
}

KeySet keys_of_pem(const std::string& pem, const std::vector<Algorithm>& algorithms = all) {
  KeySet keys;
  const auto added = keys.add_pem(pem, algorithms);
  REQUIRE_MESSAGE(added.has_value(), (added ? "" : added.error().what));
  return keys;
}

constexpr std::string_view input = "header.claims";

Verdict verdict(const KeySet& keys, Algorithm algorithm, std::string_view signature,
                std::string_view key_id = {}) {
  return keys.verify(algorithm, key_id, input, signature, now);
}

bool verifies(const KeySet& keys, Algorithm algorithm) {
  return verdict(keys, algorithm, tests::sign(algorithm, input)) == Verdict::Verified;
}

std::string oct(std::string_view secret, const std::string& more = {}) {
  return R"({"kty":"oct","k":")" + auth::base64url_encode(secret) + '"' + more + "}";
}

std::string with(std::string jwk, std::string_view member, std::string_view value) {
  const std::string front = '"' + std::string(member) + R"(":")";
  const std::size_t at = jwk.find(front) + front.size();
  return jwk.replace(at, jwk.find('"', at) - at, value);
}

std::string without(std::string jwk, std::string_view member) {
  const std::size_t at = jwk.find('"' + std::string(member) + '"');
  return jwk.replace(at, member.size() + 2, "\"gone\"");
}

}  // namespace

TEST_SUITE("Which key verified a token") {
  TEST_CASE("is told of one of the set's own, in whatever source it stands, and of no other") {
    const auto& rsa = tests::rsa_key();
    const auto input = tests::signing_input(R"({"alg":"RS256"})", "{}");
    const auto signature = rsa.sign(Algorithm::RS256, input);
    const auto verified_by = [&](const KeySet& keys) {
      std::uint64_t by = 0;
      CHECK(keys.verify(Algorithm::RS256, {}, input, signature, now, &by) == Verdict::Verified);
      return by;
    };
    const auto of_pem = keys_of_pem(rsa.public_pem());
    const auto of_jwk = keys_of_jwks(rsa.jwk(R"(,"kid":"1","alg":"RS256")"));
    CHECK(verified_by(of_pem) != 0);
    CHECK(verified_by(of_pem) == verified_by(of_jwk));
    CHECK(of_jwk.owns(verified_by(of_pem)));
    CHECK_FALSE(keys_of_pem(tests::other_rsa_key().public_pem()).owns(verified_by(of_pem)));
    KeySet lent;
    lent.add_keys_of(of_pem);
    CHECK(verified_by(lent) == 0);
    CHECK_FALSE(lent.owns(verified_by(of_pem)));
    REQUIRE(lent.add_pem(rsa.public_pem(), all));
    CHECK(lent.owns(verified_by(of_pem)));
  }

  TEST_CASE("two secrets are two keys") {
    KeySet keys, others;
    REQUIRE(keys.add_secret(tests::secret, all));
    REQUIRE(others.add_secret("another secret, of more than 32 octets", all));
    const auto input = tests::signing_input(R"({"alg":"HS256"})", "{}");
    std::uint64_t by = 0;
    CHECK(keys.verify(Algorithm::HS256, {}, input,
                      tests::hmac(Algorithm::HS256, tests::secret, input), now,
                      &by) == Verdict::Verified);
    CHECK(keys.owns(by));
    CHECK_FALSE(others.owns(by));
  }
}

TEST_SUITE("Algorithms") {
  TEST_CASE("each has the name that it is parsed from") {
    for (const Algorithm algorithm : all) {
      CHECK(auth::parse_algorithm(name_of(algorithm)) == algorithm);
    }
    CHECK(all.size() == auth::algorithms_count);
  }

  TEST_CASE("names are case-sensitive, and none is none") {
    for (const char* name : {"none", "None", "NONE", "nOnE", "", "hs256", "Hs256", "HS256 ",
                             "eddsa", "EDDSA", "ES256K", "RS1", "HS1", "dir", "A128KW"}) {
      CAPTURE(name);
      CHECK_FALSE(auth::parse_algorithm(name));
    }
  }
}

TEST_SUITE("Signatures") {
  TEST_CASE("a key verifies its algorithms and no other") {
    KeySet keys;
    REQUIRE(keys.add_secret(tests::secret, all));
    REQUIRE(keys.add_pem(tests::rsa_key().public_pem(), all));
    REQUIRE(keys.add_pem(tests::ec_key(Algorithm::ES256).public_pem(), all));
    REQUIRE(keys.add_pem(tests::ec_key(Algorithm::ES384).public_pem(), all));
    REQUIRE(keys.add_pem(tests::ec_key(Algorithm::ES512).public_pem(), all));
    REQUIRE(keys.add_pem(tests::ed25519_key().public_pem(), all));
    for (const Algorithm algorithm : all) {
      CAPTURE(name_of(algorithm));
      const std::string signature = tests::sign(algorithm, input);
      for (const Algorithm asked : all) {
        CAPTURE(name_of(asked));
        CHECK((verdict(keys, asked, signature) == Verdict::Verified) == (asked == algorithm));
      }
    }
  }

  TEST_CASE("every bit of the signature and of what was signed counts") {
    KeySet keys;
    REQUIRE(keys.add_secret(tests::secret, all));
    for (const Algorithm algorithm : {Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA}) {
      REQUIRE(keys.add_pem(tests::key_for(algorithm).public_pem(), all));
    }
    for (const Algorithm algorithm : {Algorithm::HS256, Algorithm::RS256, Algorithm::PS256,
                                      Algorithm::ES256, Algorithm::EdDSA}) {
      CAPTURE(name_of(algorithm));
      const std::string good = tests::sign(algorithm, input);
      REQUIRE(verdict(keys, algorithm, good) == Verdict::Verified);
      for (std::size_t at = 0; at < good.size(); at += 7) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        CHECK(verdict(keys, algorithm, bad) == Verdict::BadSignature);
      }
      CHECK(keys.verify(algorithm, "", "header.claimt", good, now) == Verdict::BadSignature);
      CHECK(keys.verify(algorithm, "", "header.claim", good, now) == Verdict::BadSignature);
    }
  }

  TEST_CASE("a signature has exactly its length") {
    KeySet keys;
    REQUIRE(keys.add_secret(tests::secret, all));
    for (const Algorithm algorithm :
         {Algorithm::RS256, Algorithm::ES256, Algorithm::ES512, Algorithm::EdDSA}) {
      REQUIRE(keys.add_pem(tests::key_for(algorithm).public_pem(), all));
    }
    for (const Algorithm algorithm :
         {Algorithm::HS256, Algorithm::HS512, Algorithm::RS256, Algorithm::PS256, Algorithm::ES256,
          Algorithm::ES512, Algorithm::EdDSA}) {
      CAPTURE(name_of(algorithm));
      const std::string good = tests::sign(algorithm, input);
      for (const std::string& bad :
           {std::string(), good.substr(1), good.substr(0, good.size() - 1), good + '\0',
            '\0' + good, good + good, good.substr(0, good.size() / 2), std::string(1, good[0])}) {
        CHECK(verdict(keys, algorithm, bad) == Verdict::BadSignature);
      }
    }
  }

  TEST_CASE("a MAC that ends with NUL is not shorter for that") {
    KeySet keys;
    REQUIRE(keys.add_secret(tests::secret, all));
    std::string signed_text = "a";
    std::string mac;
    while ((mac = tests::hmac(Algorithm::HS256, tests::secret, signed_text)).back() != '\0') {
      signed_text.push_back('a');
    }
    CHECK(keys.verify(Algorithm::HS256, "", signed_text, mac, now) == Verdict::Verified);
    mac.pop_back();
    CHECK(keys.verify(Algorithm::HS256, "", signed_text, mac, now) == Verdict::BadSignature);
  }

  TEST_CASE("an RSA signature that begins with zero is not shorter for that (RFC 8017, 8.1.2)") {
    const KeySet keys = keys_of_pem(tests::rsa_key().public_pem());
    for (const Algorithm algorithm : {Algorithm::RS256, Algorithm::PS256}) {
      CAPTURE(name_of(algorithm));
      std::string signed_text = "a";
      std::string signature;
      while ((signature = tests::sign(algorithm, signed_text)).front() != '\0') {
        signed_text.push_back('a');
      }
      CHECK(keys.verify(algorithm, "", signed_text, signature, now) == Verdict::Verified);
      signature.erase(0, 1);
      CHECK(keys.verify(algorithm, "", signed_text, signature, now) == Verdict::BadSignature);
    }
  }

  TEST_CASE("the psychic signature: r or s of zero, or of the curve's order, signs nothing") {
    for (const Algorithm algorithm : {Algorithm::ES256, Algorithm::ES384, Algorithm::ES512}) {
      CAPTURE(name_of(algorithm));
      const KeySet keys = keys_of_pem(tests::ec_key(algorithm).public_pem());
      const std::string good = tests::sign(algorithm, input);
      const std::size_t half = good.size() / 2;
      const std::string zero(half, '\0');
      CHECK(verdict(keys, algorithm, good) == Verdict::Verified);
      CHECK(verdict(keys, algorithm, zero + zero) == Verdict::BadSignature);
      CHECK(verdict(keys, algorithm, good.substr(0, half) + zero) == Verdict::BadSignature);
      CHECK(verdict(keys, algorithm, zero + good.substr(half)) == Verdict::BadSignature);
    }
    const KeySet keys = keys_of_pem(tests::ec_key(Algorithm::ES256).public_pem());
    const auto order = auth::base64url_decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
    REQUIRE(order);
    CHECK(verdict(keys, Algorithm::ES256, *order + *order) == Verdict::BadSignature);
  }

  TEST_CASE("an ECDSA signature in DER is none in a token") {
    const KeySet keys = keys_of_pem(tests::ec_key(Algorithm::ES256).public_pem());
    const auth::OwnedDigestContext context(EVP_MD_CTX_new());
    std::string der(128, '\0');
    std::size_t octets = der.size();
    REQUIRE(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr,
                               tests::ec_key(Algorithm::ES256).get()) == 1);
    REQUIRE(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &octets,
                           auth::octets_of(input), input.size()) == 1);
    der.resize(octets);
    CHECK(verdict(keys, Algorithm::ES256, der) == Verdict::BadSignature);
  }

  TEST_CASE("a failed verification leaves nothing in OpenSSL's error queue") {
    KeySet keys = keys_of_pem(tests::rsa_key().public_pem());
    CHECK(verdict(keys, Algorithm::RS256, std::string(256, 'x')) == Verdict::BadSignature);
    CHECK(verdict(keys, Algorithm::PS256, std::string(256, 'x')) == Verdict::BadSignature);
    CHECK_FALSE(keys.add_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", all));
    CHECK(ERR_peek_error() == 0);
  }
}

TEST_SUITE("Which key is tried") {
  TEST_CASE("a key with a kid serves that kid, and tokens without one") {
    const KeySet keys = keys_of_jwks(tests::rsa_key().jwk(R"(,"kid":"a")") + "," +
                                     tests::other_rsa_key().jwk(R"(,"kid":"b")"));
    const std::string by_a = tests::rsa_key().sign(Algorithm::RS256, input);
    const std::string by_b = tests::other_rsa_key().sign(Algorithm::RS256, input);
    CHECK(verdict(keys, Algorithm::RS256, by_a, "a") == Verdict::Verified);
    CHECK(verdict(keys, Algorithm::RS256, by_b, "b") == Verdict::Verified);
    CHECK(verdict(keys, Algorithm::RS256, by_a, "b") == Verdict::BadSignature);
    CHECK(verdict(keys, Algorithm::RS256, by_a, "c") == Verdict::UnknownKey);
    CHECK(verdict(keys, Algorithm::RS256, by_a, "A") == Verdict::UnknownKey);
    CHECK(verdict(keys, Algorithm::RS256, by_a) == Verdict::Verified);
    CHECK(verdict(keys, Algorithm::RS256, by_b) == Verdict::Verified);
  }

  TEST_CASE("a key without a kid serves tokens of every kid") {
    KeySet keys = keys_of_pem(tests::rsa_key().public_pem());
    REQUIRE(keys.add_secret(tests::secret, all));
    REQUIRE(keys.add_jwk_set(jwk_set(tests::other_rsa_key().jwk()), all));
    CHECK(verdict(keys, Algorithm::RS256, tests::sign(Algorithm::RS256, input), "x") ==
          Verdict::Verified);
    CHECK(verdict(keys, Algorithm::HS256, tests::sign(Algorithm::HS256, input), "x") ==
          Verdict::Verified);
    CHECK(verdict(keys, Algorithm::RS256, tests::other_rsa_key().sign(Algorithm::RS256, input),
                  "x") == Verdict::Verified);
  }

  TEST_CASE("the kid of a key of another algorithm names no key") {
    const KeySet keys = keys_of_jwks(tests::rsa_key().jwk(R"(,"kid":"a")") + "," +
                                     oct(tests::secret, R"(,"kid":"s")"));
    CHECK(verdict(keys, Algorithm::HS256, tests::sign(Algorithm::HS256, input), "a") ==
          Verdict::UnknownKey);
    CHECK(verdict(keys, Algorithm::HS256, tests::sign(Algorithm::HS256, input), "s") ==
          Verdict::Verified);
    CHECK(verdict(keys, Algorithm::ES256, tests::sign(Algorithm::ES256, input)) ==
          Verdict::UnknownKey);
  }

  TEST_CASE("sixteen keys are tried and no more") {
    KeySet keys;
    const auto numbered = [](int number) {
      return "a secret of thirty-two octets " + std::to_string(100 + number);
    };
    for (int number = 0; number < 17; ++number) REQUIRE(keys.add_secret(numbered(number), all));
    const auto by = [&](int number) {
      return tests::hmac(Algorithm::HS256, numbered(number), input);
    };
    CHECK(verdict(keys, Algorithm::HS256, by(0)) == Verdict::Verified);
    CHECK(verdict(keys, Algorithm::HS256, by(15)) == Verdict::Verified);
    CHECK(verdict(keys, Algorithm::HS256, by(16)) == Verdict::BadSignature);
  }

  TEST_CASE("the key that a token names is tried before those without a name") {
    KeySet keys;
    for (int number = 0; number < 20; ++number) {
      REQUIRE(
          keys.add_secret("a secret of thirty-two octets " + std::to_string(100 + number), all));
    }
    REQUIRE(keys.add_jwk_set(jwk_set(oct(tests::secret, R"(,"kid":"s")")), all));
    const std::string signature = tests::sign(Algorithm::HS256, input);
    CHECK(verdict(keys, Algorithm::HS256, signature, "s") == Verdict::Verified);
    CHECK(verdict(keys, Algorithm::HS256, signature) == Verdict::BadSignature);
  }

  TEST_CASE("a key verifies until just before its end") {
    KeySet keys;
    REQUIRE(keys.add_secret(tests::secret, all, now));
    const std::string signature = tests::sign(Algorithm::HS256, input);
    CHECK(keys.verify(Algorithm::HS256, "", input, signature, now - std::chrono::milliseconds(1)) ==
          Verdict::Verified);
    CHECK(keys.verify(Algorithm::HS256, "", input, signature, now) == Verdict::UnknownKey);
    REQUIRE(keys.add_jwk_set(jwk_set(tests::rsa_key().jwk()), all, now));
    REQUIRE(keys.add_pem(tests::ed25519_key().public_pem(), all, now));
    CHECK(verdict(keys, Algorithm::RS256, tests::sign(Algorithm::RS256, input)) ==
          Verdict::UnknownKey);
    CHECK(verdict(keys, Algorithm::EdDSA, tests::sign(Algorithm::EdDSA, input)) ==
          Verdict::UnknownKey);
  }

  TEST_CASE("a set says what it serves: the key's algorithms as far as they are allowed") {
    KeySet keys;
    CHECK_FALSE(keys.serves(Algorithm::HS256));
    REQUIRE(keys.add_secret(tests::secret, {Algorithm::HS256, Algorithm::RS256}));
    CHECK(keys.serves(Algorithm::HS256));
    CHECK_FALSE(keys.serves(Algorithm::HS512));
    CHECK_FALSE(keys.serves(Algorithm::RS256));
    CHECK(verdict(keys, Algorithm::HS512, tests::sign(Algorithm::HS512, input)) ==
          Verdict::UnknownKey);
  }

  TEST_CASE("no key at all knows no key") {
    CHECK(verdict(KeySet(), Algorithm::HS256, "") == Verdict::UnknownKey);
  }

  TEST_CASE("at most 256 keys") {
    KeySet keys;
    std::string jwks = oct(tests::secret);
    for (int count = 1; count < 256; ++count) jwks += "," + oct(tests::secret);
    CHECK(keys.add_jwk_set(jwk_set(jwks), all));
    CHECK_FALSE(keys.add_secret(tests::secret, all));
    CHECK(keys.size() == 256);
    CHECK_FALSE(KeySet().add_jwk_set(jwk_set(jwks + "," + oct(tests::secret)), all));
  }
}

TEST_SUITE("Secrets") {
  TEST_CASE("32 octets at least") {
    CHECK(secret_error(std::string(32, 's')) == "");
    CHECK(secret_error(std::string(31, 's')) == "a secret of 31 octets; it takes at least 32");
    CHECK(secret_error("") == "a secret of 0 octets; it takes at least 32");
  }

  TEST_CASE("only for an authenticator that allows HMAC") {
    CHECK(secret_error(tests::secret, {Algorithm::HS512}) == "");
    CHECK(secret_error(tests::secret, {Algorithm::RS256, Algorithm::EdDSA}).contains("HS256"));
    CHECK(secret_error(tests::secret, {}) != "");
  }

  TEST_CASE("never a key in PEM, which others know") {
    CHECK(secret_error(tests::rsa_key().public_pem()).contains("pem_file"));
    CHECK(secret_error("\n" + tests::rsa_key().certificate_pem()).contains("pem_file"));
  }

  TEST_CASE("any octets, NUL too") {
    std::string zeros(32, '\0');
    KeySet keys;
    REQUIRE(keys.add_secret(zeros, all));
    CHECK(verdict(keys, Algorithm::HS256, tests::hmac(Algorithm::HS256, zeros, input)) ==
          Verdict::Verified);
    zeros.back() = 1;
    CHECK(verdict(keys, Algorithm::HS256, tests::hmac(Algorithm::HS256, zeros, input)) ==
          Verdict::BadSignature);
  }
}

TEST_SUITE("RFC 7468: keys in PEM") {
  TEST_CASE("a public key, in both formats, and a certificate") {
    for (const std::string& pem :
         {tests::rsa_key().public_pem(), tests::rsa_key().pkcs1_pem(),
          tests::rsa_key().certificate_pem(), "comment\n" + tests::rsa_key().public_pem()}) {
      const KeySet keys = keys_of_pem(pem);
      for (const Algorithm algorithm : all) {
        CHECK(keys.serves(algorithm) == auth::rsa_algorithms.contains(algorithm));
      }
      CHECK(verifies(keys, Algorithm::RS512));
      CHECK(verifies(keys, Algorithm::PS384));
    }
    CHECK(verifies(keys_of_pem(tests::ed25519_key().certificate_pem()), Algorithm::EdDSA));
    CHECK(
        verifies(keys_of_pem(tests::ec_key(Algorithm::ES384).certificate_pem()), Algorithm::ES384));
  }

  TEST_CASE("an EC key serves the one algorithm of its curve") {
    for (const Algorithm curve : {Algorithm::ES256, Algorithm::ES384, Algorithm::ES512}) {
      const KeySet keys = keys_of_pem(tests::ec_key(curve).public_pem());
      for (const Algorithm algorithm : all) CHECK(keys.serves(algorithm) == (algorithm == curve));
      CHECK(verifies(keys, curve));
    }
    CHECK(pem_error(SigningKey::ec("secp256k1").public_pem()).contains("P-256"));
    CHECK(pem_error(SigningKey::ec("P-224").public_pem()).contains("P-256"));
    CHECK(pem_error(tests::ec_key(Algorithm::ES384).public_pem(), {Algorithm::ES256})
              .contains("none of the algorithms"));
  }

  TEST_CASE("a curve spelled out instead of named is refused (CVE-2020-0601)") {
    CHECK(pem_error(SigningKey::ec("P-256", true).public_pem()) == "");
    CHECK(pem_error(SigningKey::ec("P-256", false).public_pem()).contains("curve"));
  }

  TEST_CASE("Ed25519 and Ed448 sign, X25519 does not") {
    const SigningKey ed448 = SigningKey::of_type("ED448");
    const KeySet keys = keys_of_pem(ed448.public_pem());
    CHECK(verdict(keys, Algorithm::EdDSA, ed448.sign(Algorithm::EdDSA, input)) ==
          Verdict::Verified);
    CHECK(pem_error(SigningKey::of_type("X25519").public_pem()).contains("type"));
  }

  TEST_CASE("an RSA key of 2048 bits at least, with an odd exponent of 3 at least") {
    CHECK(pem_error(tests::other_rsa_key().public_pem()) == "");  // e = 3
    CHECK(pem_error(SigningKey::rsa(1024).public_pem()) ==
          "an RSA key of 1024 bits; it takes 2048 to 16384");
    CHECK(pem_error(SigningKey::rsa(2047).public_pem()).contains("2047"));
  }

  TEST_CASE("an RSASSA-PSS key serves PS of its hash alone") {
    const SigningKey key = SigningKey::rsa_pss(2048);
    const KeySet keys = keys_of_pem(key.public_pem());
    for (const Algorithm algorithm : all) {
      CHECK(keys.serves(algorithm) == (algorithm == Algorithm::PS256));
    }
    CHECK(verdict(keys, Algorithm::PS256, key.sign(Algorithm::PS256, input)) == Verdict::Verified);
    CHECK(pem_error(key.public_pem(), {Algorithm::RS256, Algorithm::PS512})
              .contains("none of the algorithms"));
  }

  TEST_CASE("a private key is refused, not halved") {
    for (const SigningKey* key : {&tests::rsa_key(), &tests::ed25519_key()}) {
      CHECK(pem_error(key->private_pem()).contains("a private key"));
    }
  }

  TEST_CASE("one key a file") {
    const std::string pem = tests::rsa_key().public_pem();
    CHECK(pem_error(pem + tests::ed25519_key().public_pem()).contains("more than one"));
    CHECK(pem_error(pem + pem).contains("more than one"));
    CHECK(pem_error(pem + "\nthe end\n") == "");
  }

  TEST_CASE("nothing behind the key in its DER") {
    CHECK(pem_error(tests::rsa_key().public_pem("")) == "");
    CHECK(pem_error(tests::rsa_key().public_pem("x")).contains("cannot be read"));
  }

  TEST_CASE("what is no key in PEM") {
    CHECK(pem_error("").contains("no key in PEM"));
    CHECK(pem_error("ssh-rsa AAAA").contains("no key in PEM"));
    CHECK(pem_error("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
              .contains("cannot be read"));
    CHECK(pem_error("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
              .contains("neither a public key nor a certificate"));
    CHECK(pem_error("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
              .contains("cannot be read"));
    CHECK(
        pem_error(std::string(100'000, ' ') + tests::rsa_key().public_pem()).contains("too long"));
  }
}

TEST_SUITE("RFC 7517: JWK Sets") {
  TEST_CASE("a key of each type serves the algorithms of its type") {
    for (const Algorithm algorithm : all) {
      CAPTURE(name_of(algorithm));
      const std::string jwk = auth::hmac_algorithms.contains(algorithm)
                                  ? oct(tests::secret)
                                  : tests::key_for(algorithm).jwk();
      const KeySet keys = keys_of_jwks(jwk);
      CHECK(verifies(keys, algorithm));
      for (const Algorithm asked : all) {
        const bool same_type =
            asked == algorithm ||
            (auth::hmac_algorithms.contains(asked) && auth::hmac_algorithms.contains(algorithm)) ||
            (auth::rsa_algorithms.contains(asked) && auth::rsa_algorithms.contains(algorithm));
        CHECK(keys.serves(asked) == same_type);
      }
    }
    const SigningKey ed448 = SigningKey::of_type("ED448");
    CHECK(verdict(keys_of_jwks(ed448.jwk()), Algorithm::EdDSA,
                  ed448.sign(Algorithm::EdDSA, input)) == Verdict::Verified);
  }

  TEST_CASE("alg leaves a key one algorithm") {
    const KeySet keys = keys_of_jwks(tests::rsa_key().jwk(R"(,"alg":"RS256")"));
    for (const Algorithm algorithm : all) {
      CHECK(keys.serves(algorithm) == (algorithm == Algorithm::RS256));
    }
    CHECK(verifies(keys, Algorithm::RS256));
    CHECK_FALSE(verifies(keys, Algorithm::PS256));
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"alg":"RSA-OAEP")")).contains("keys[0]: 'alg'"));
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"alg":"rs256")")).contains("'alg'"));
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"alg":256)")).contains("'alg'"));
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"alg":"none")")).contains("'alg'"));
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"alg":"HS256")")).contains("none of the algorithms"));
    CHECK(jwk_error(tests::ec_key(Algorithm::ES256).jwk(R"(,"alg":"ES384")"))
              .contains("none of the algorithms"));
    CHECK(jwk_error(oct(tests::secret, R"(,"alg":"RS256")")).contains("HS256"));
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"alg":"RS256")"), {Algorithm::RS512})
              .contains("not among the algorithms allowed"));
  }

  TEST_CASE("use is sig where it is there") {
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"use":"sig")")) == "");
    for (const char* use : {R"("enc")", R"("SIG")", R"("")", "1", "null", R"(["sig"])"}) {
      CAPTURE(use);
      CHECK(jwk_error(tests::rsa_key().jwk(R"(,"use":)" + std::string(use))).contains("'use'"));
    }
  }

  TEST_CASE("key_ops has verify where it is there") {
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"key_ops":["verify"])")) == "");
    CHECK(jwk_error(oct(tests::secret, R"(,"key_ops":["sign","verify"])")) == "");
    for (const char* operations : {R"(["sign"])", "[]", R"("verify")", "null", R"(["Verify"])",
                                   R"({"verify":1})", R"([["verify"]])"}) {
      CAPTURE(operations);
      CHECK(jwk_error(tests::rsa_key().jwk(R"(,"key_ops":)" + std::string(operations)))
                .contains("'key_ops'"));
    }
  }

  TEST_CASE("weak keys are refused with their place") {
    CHECK(jwk_error(SigningKey::rsa(1024).jwk()) ==
          "keys[0]: an RSA key of 1024 bits; it takes 2048 to 16384");
    const std::string good = tests::rsa_key().jwk();
    CHECK(jwk_error(with(good, "e", "Aw")) == "");
    for (const char* exponent : {"AQ", "Ag", "BA", "AA", "AQAA", "AAAB"}) {  // 1 2 4 0 65536 1
      CAPTURE(exponent);
      CHECK(jwk_error(with(good, "e", exponent)).contains("exponent"));
    }
    CHECK(jwk_error(with(good, "e", "AQAAAAAAAAAB")).contains("exponent"));  // 2^64 + 1
    CHECK(jwk_error(oct(std::string(31, 's'))) ==
          "keys[0]: a secret of 31 octets; it takes at least 32");
    CHECK(jwk_error(oct("")).contains("'k'"));
  }

  TEST_CASE("a modulus that is even, or no product, makes no key") {
    CHECK(jwk_error(with(tests::rsa_key().jwk(), "n",
                         auth::base64url_encode(std::string(256, '\xfe')))) != "");
    CHECK(jwk_error(with(tests::rsa_key().jwk(), "n", "AQ")) != "");
    CHECK(jwk_error(
              with(tests::rsa_key().jwk(), "n", auth::base64url_encode(std::string(4096, '\xff'))))
              .contains("32768 bits"));
  }

  TEST_CASE("an EC point is on its curve, with coordinates of exactly its length") {
    const std::string good = tests::ec_key(Algorithm::ES256).jwk();
    CHECK(jwk_error(good) == "");
    CHECK(jwk_error(with(good, "x", auth::base64url_encode(std::string(32, '\x01'))))
              .contains("no point of P-256"));
    CHECK(jwk_error(with(good, "x", auth::base64url_encode(std::string(31, '\x01'))))
              .contains("32 octets"));
    CHECK(jwk_error(with(good, "y", auth::base64url_encode(std::string(31, '\x01'))))
              .contains("32 octets"));
    CHECK(jwk_error(with(good, "y", auth::base64url_encode(std::string(33, '\0'))))
              .contains("32 octets"));
    CHECK(jwk_error(with(good, "crv", "P-384")).contains("48 octets"));
    CHECK(jwk_error(with(good, "crv", "p-256")).contains("'crv'"));
    CHECK(jwk_error(with(good, "crv", "secp256k1")).contains("'crv'"));
    CHECK(jwk_error(without(good, "crv")).contains("'crv'"));
  }

  TEST_CASE("an OKP key is on a curve that signs") {
    const std::string good = tests::ed25519_key().jwk();
    CHECK(jwk_error(good) == "");
    CHECK(jwk_error(SigningKey::of_type("X25519").jwk()).contains("'crv'"));
    CHECK(jwk_error(with(good, "x", auth::base64url_encode(std::string(31, 'x'))))
              .contains("32 octets"));
    CHECK(jwk_error(with(good, "crv", "Ed448")).contains("57 octets"));
  }

  TEST_CASE("members that a type demands are there, in strict base64url") {
    const std::string rsa = tests::rsa_key().jwk();
    const std::string ec = tests::ec_key(Algorithm::ES256).jwk();
    const std::string okp = tests::ed25519_key().jwk();
    for (const auto& [jwk, member] : std::vector<std::pair<std::string, std::string>>{
             {rsa, "n"}, {rsa, "e"}, {ec, "x"}, {ec, "y"}, {okp, "x"}, {oct(tests::secret), "k"}}) {
      CAPTURE(member);
      const std::string place = "keys[0]: '" + member + "'";
      CHECK(jwk_error(without(jwk, member)).starts_with(place));
      CHECK(jwk_error(with(jwk, member, "")).starts_with(place));
      CHECK(jwk_error(with(jwk, member, "AQAB==")).starts_with(place));
      CHECK(jwk_error(with(jwk, member, "A+/B")).starts_with(place));
    }
  }

  TEST_CASE("a private key is refused") {
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"d":"AQAB")")).contains("a private key"));
    CHECK(jwk_error(tests::ec_key(Algorithm::ES256).jwk(R"(,"d":"")")).contains("a private key"));
    CHECK(jwk_error(tests::ed25519_key().jwk(R"(,"d":null)")).contains("a private key"));
  }

  TEST_CASE("a kid is a string") {
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"kid":1)")).contains("'kid'"));
    CHECK(jwk_error(tests::rsa_key().jwk(R"(,"kid":"../../etc/passwd")")) == "");
  }

  TEST_CASE("kty is one of four, and the place of a bad key is told") {
    KeySet keys;
    for (const char* type :
         {R"("kty":"rsa")", R"("kty":"OCT")", R"("kty":"EC2")", R"("kty":1)", R"("no":"RSA")"}) {
      CAPTURE(type);
      const auto added =
          keys.add_jwk_set(jwk_set(oct(tests::secret) + ",{" + std::string(type) + "}"), all);
      REQUIRE_FALSE(added);
      CHECK(added.error().what.starts_with("keys[1]: 'kty'"));
      CHECK(keys.size() == 0);
    }
    CHECK(jwk_error("1").starts_with("keys[0]: a key is"));
  }

  TEST_CASE("what is no JWK Set") {
    for (const char* text : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":1})",
                             R"({"kty":"oct","k":"AAAA"})", "{\"keys\":[}"}) {
      CAPTURE(text);
      CHECK_FALSE(KeySet().add_jwk_set(text, all));
    }
    CHECK(KeySet().add_jwk_set(R"({"keys":[],"keys":[]})", all).error().what.contains("twice"));
    const std::string jwk = R"({"kty":"oct","kty":"RSA"})";
    CHECK(KeySet().add_jwk_set(jwk_set(jwk), all).error().what.contains("twice"));
    CHECK(KeySet()
              .add_jwk_set(
                  jwk_set(oct(tests::secret)) + std::string(KeySet::jwk_set_octets_max, ' '), all)
              .error()
              .what.contains("octets"));
  }

  TEST_CASE("no error tells what a key is made of") {
    const std::string k = auth::base64url_encode("0123456789012345678901234567890");
    CHECK_FALSE(jwk_error(oct("0123456789012345678901234567890")).contains(k));
    CHECK_FALSE(secret_error("short secret").contains("short"));
  }
}
