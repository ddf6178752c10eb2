#include "tests/auth/signing.h"

#include <array>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "auth/base64url.h"

namespace tests {
namespace {

using auth::Algorithm;

const EVP_MD* digest_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::HS256:
    case Algorithm::RS256:
    case Algorithm::PS256:
    case Algorithm::ES256:
      return EVP_sha256();
    case Algorithm::HS384:
    case Algorithm::RS384:
    case Algorithm::PS384:
    case Algorithm::ES384:
      return EVP_sha384();
    case Algorithm::HS512:
    case Algorithm::RS512:
    case Algorithm::PS512:
    case Algorithm::ES512:
      return EVP_sha512();
    case Algorithm::EdDSA:
      return nullptr;
  }
  return nullptr;
}

template <class Write>
std::string pem_of(Write write) {
  const auth::OwnedBio bio(BIO_new(BIO_s_mem()));
  REQUIRE(write(bio.get()) == 1);
  char* text = nullptr;
  const long octets = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(octets)};
}

template <class Encode>
std::string pem_of_der(const char* label, Encode encode, EVP_PKEY* key, std::string_view junk) {
  unsigned char* octets = nullptr;
  const int length = encode(key, &octets);
  REQUIRE(length > 0);
  std::string der(reinterpret_cast<char*>(octets), static_cast<std::size_t>(length));
  OPENSSL_free(octets);
  der += junk;
  return pem_of([&](BIO* bio) {
    const long written =
        PEM_write_bio(bio, label, "", auth::octets_of(der), static_cast<long>(der.size()));
    return written > 0 ? 1 : 0;
  });
}

auth::OwnedKeyContext context_for(const char* type) {
  auth::OwnedKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  REQUIRE(EVP_PKEY_keygen_init(context.get()) == 1);
  return context;
}

EVP_PKEY* generated(EVP_PKEY_CTX* context) {
  EVP_PKEY* key = nullptr;
  REQUIRE(EVP_PKEY_generate(context, &key) == 1);
  return key;
}

std::string number_member(const EVP_PKEY* key, const char* parameter, std::size_t octets_min = 0) {
  BIGNUM* number = nullptr;
  REQUIRE(EVP_PKEY_get_bn_param(key, parameter, &number) == 1);
  const auth::OwnedNumber owned(number);
  const std::size_t octets = std::max<std::size_t>(octets_min, BN_num_bytes(number));
  std::string text(octets, '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(text.data()), static_cast<int>(octets));
  return auth::base64url_encode(text);
}

// RFC 7518 section 3.4: r and s, each as long as the curve's order.
std::string raw_signature(const EVP_PKEY* key, const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auth::OwnedSignature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  REQUIRE(signature);
  const auto octets = (EVP_PKEY_get_bits(key) + 7) / 8;
  std::string raw(2 * static_cast<std::size_t>(octets), '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, octets);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + octets, octets);
  return raw;
}

bool is_a(const EVP_PKEY* key, const char* type) { return EVP_PKEY_is_a(key, type) == 1; }

}  // namespace

SigningKey::SigningKey(EVP_PKEY* key) : key_(key) {}

SigningKey SigningKey::rsa(int bits, unsigned exponent) {
  const auto context = context_for("RSA");
  REQUIRE(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), bits) == 1);
  const auth::OwnedNumber number(BN_new());
  BN_set_word(number.get(), exponent);
  REQUIRE(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), number.get()) == 1);
  return SigningKey(generated(context.get()));
}

SigningKey SigningKey::rsa_pss(int bits) {
  const auto context = context_for("RSA-PSS");
  REQUIRE(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), bits) == 1);
  REQUIRE(EVP_PKEY_CTX_set_rsa_pss_keygen_md(context.get(), EVP_sha256()) == 1);
  REQUIRE(EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(context.get(), EVP_sha256()) == 1);
  REQUIRE(EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(context.get(), 32) == 1);
  return SigningKey(generated(context.get()));
}

SigningKey SigningKey::of_type(const char* type) {
  return SigningKey(generated(context_for(type).get()));
}

SigningKey SigningKey::ec(const char* curve, bool named) {
  const auto context = context_for("EC");
  REQUIRE(EVP_PKEY_CTX_set_group_name(context.get(), curve) == 1);
  REQUIRE(EVP_PKEY_CTX_set_ec_param_enc(
              context.get(), named ? OPENSSL_EC_NAMED_CURVE : OPENSSL_EC_EXPLICIT_CURVE) == 1);
  return SigningKey(generated(context.get()));
}

std::string SigningKey::private_pem() const {
  return pem_of([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string SigningKey::public_pem(std::string_view junk) const {
  return pem_of_der(PEM_STRING_PUBLIC, i2d_PUBKEY, key_.get(), junk);
}

std::string SigningKey::pkcs1_pem() const {
  return pem_of_der(PEM_STRING_RSA_PUBLIC, i2d_PublicKey, key_.get(), {});
}

std::string SigningKey::certificate_pem() const {
  const auth::OwnedCertificate certificate(X509_new());
  ASN1_TIME_set_string(X509_getm_notBefore(certificate.get()), "20000101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(certificate.get()), "20010101000000Z");
  REQUIRE(X509_set_pubkey(certificate.get(), key_.get()) == 1);
  const bool unhashed = is_a(key_.get(), "ED25519");
  REQUIRE(X509_sign(certificate.get(), key_.get(), unhashed ? nullptr : EVP_sha256()) > 0);
  return pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
}

std::string SigningKey::jwk(std::string_view more) const {
  const EVP_PKEY* key = key_.get();
  std::string members;
  if (is_a(key, "RSA")) {
    members = R"("kty":"RSA","n":")" + number_member(key, OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" +
              number_member(key, OSSL_PKEY_PARAM_RSA_E) + '"';
  } else if (is_a(key, "EC")) {
    const auto octets = static_cast<std::size_t>((EVP_PKEY_get_bits(key) + 7) / 8);
    const std::string crv = "P-" + std::to_string(EVP_PKEY_get_bits(key));
    members = R"("kty":"EC","crv":")" + crv + R"(","x":")" +
              number_member(key, OSSL_PKEY_PARAM_EC_PUB_X, octets) + R"(","y":")" +
              number_member(key, OSSL_PKEY_PARAM_EC_PUB_Y, octets) + '"';
  } else {
    std::array<unsigned char, 64> octets;
    std::size_t length = octets.size();
    REQUIRE(EVP_PKEY_get_raw_public_key(key, octets.data(), &length) == 1);
    const std::string crv = is_a(key, "ED25519") ? "Ed25519"
                            : is_a(key, "ED448") ? "Ed448"
                                                 : "X25519";
    members = R"("kty":"OKP","crv":")" + crv + R"(","x":")" +
              auth::base64url_encode({reinterpret_cast<char*>(octets.data()), length}) + '"';
  }
  return '{' + members + std::string(more) + '}';
}

std::string SigningKey::sign(Algorithm algorithm, std::string_view input) const {
  const auth::OwnedDigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  REQUIRE(EVP_DigestSignInit(context.get(), &parameters, digest_of(algorithm), nullptr,
                             key_.get()) == 1);
  if (auth::rsa_pss_algorithms.contains(algorithm)) {
    REQUIRE(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1);
  }
  std::string signature(1024, '\0');
  std::size_t octets = signature.size();
  REQUIRE(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &octets,
                         auth::octets_of(input), input.size()) == 1);
  signature.resize(octets);
  return is_a(key_.get(), "EC") ? raw_signature(key_.get(), signature) : signature;
}

const SigningKey& rsa_key() {
  static const SigningKey key = SigningKey::rsa(2048);
  return key;
}

const SigningKey& other_rsa_key() {
  static const SigningKey key = SigningKey::rsa(2048, 3);
  return key;
}

const SigningKey& ec_key(Algorithm algorithm) {
  static const SigningKey p256 = SigningKey::ec("P-256");
  static const SigningKey p384 = SigningKey::ec("P-384");
  static const SigningKey p521 = SigningKey::ec("P-521");
  return algorithm == Algorithm::ES256 ? p256 : algorithm == Algorithm::ES384 ? p384 : p521;
}

const SigningKey& ed25519_key() {
  static const SigningKey key = SigningKey::of_type("ED25519");
  return key;
}

const SigningKey& key_for(Algorithm algorithm) {
  if (auth::rsa_algorithms.contains(algorithm)) return rsa_key();
  return algorithm == Algorithm::EdDSA ? ed25519_key() : ec_key(algorithm);
}

std::string hmac(Algorithm algorithm, std::string_view key, std::string_view input) {
  std::string mac(EVP_MAX_MD_SIZE, '\0');
  unsigned octets = 0;
  REQUIRE(HMAC(digest_of(algorithm), key.data(), static_cast<int>(key.size()),
               auth::octets_of(input), input.size(), reinterpret_cast<unsigned char*>(mac.data()),
               &octets) != nullptr);
  mac.resize(octets);
  return mac;
}

std::string sign(Algorithm algorithm, std::string_view input) {
  if (auth::hmac_algorithms.contains(algorithm)) return hmac(algorithm, secret, input);
  return key_for(algorithm).sign(algorithm, input);
}

std::string signing_input(std::string_view header_json, std::string_view claims_json) {
  return auth::base64url_encode(header_json) + "." + auth::base64url_encode(claims_json);
}

std::string token(Algorithm algorithm, std::string_view header_json, std::string_view claims_json) {
  const std::string input = signing_input(header_json, claims_json);
  return input + "." + auth::base64url_encode(sign(algorithm, input));
}

std::string token(Algorithm algorithm, std::string_view claims_json) {
  return token(algorithm, R"({"alg":")" + std::string(name_of(algorithm)) + R"("})", claims_json);
}

std::string jwk_set(std::string_view jwks) { return R"({"keys":[)" + std::string(jwks) + "]}"; }

}  // namespace tests
