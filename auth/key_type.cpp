#include "auth/key_type.h"

#include <array>
#include <string>
#include <string_view>

#include <openssl/core_names.h>

#include "auth/ec_curve.h"
#include "auth/key_set.h"

namespace auth {
namespace {

// What OpenSSL 3.0 verifies with at all (OPENSSL_RSA_MAX_MODULUS_BITS,
// OPENSSL_RSA_MAX_PUBEXP_BITS).
constexpr int rsa_bits_max = 16384;
constexpr int exponent_bits_max = 64;

std::unexpected<KeyError> fault(std::string what) { return std::unexpected(KeyError{what}); }

std::expected<void, KeyError> check_rsa(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < KeySet::rsa_bits_min || bits > rsa_bits_max) {
    return fault("an RSA key of " + std::to_string(bits) + " bits; it takes " +
                 std::to_string(KeySet::rsa_bits_min) + " to " + std::to_string(rsa_bits_max));
  }
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &number) != 1) {
    return fault("an RSA key without an exponent");
  }
  const OwnedNumber exponent(number);
  // With e = 1 every message is its own signature.
  if (!BN_is_odd(number) || BN_is_one(number)) {
    return fault("an RSA key whose exponent is even or under 3");
  }
  if (BN_num_bits(number) > exponent_bits_max) {
    return fault("an RSA key whose exponent is longer than " + std::to_string(exponent_bits_max) +
                 " bits");
  }
  return {};
}

std::expected<AlgorithmSet, KeyError> algorithms_of_curve(const EVP_PKEY* key) {
  int explicit_parameters = 0;
  EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                         &explicit_parameters);
  if (explicit_parameters != 0) {
    // CVE-2020-0601: a curve that only looks like the named one.
    return fault("an EC key that spells out its curve instead of naming it");
  }
  std::array<char, 64> name{};
  std::size_t octets = 0;
  EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name.data(), name.size(),
                                 &octets);
  for (const EcCurve& curve : ec_curves) {
    if (std::string_view(curve.name) == name.data()) return AlgorithmSet{curve.algorithm};
  }
  return fault("an EC key on another curve than P-256, P-384 and P-521");
}

std::expected<AlgorithmSet, KeyError> algorithms_of_type(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") == 1 || EVP_PKEY_is_a(key, "RSA-PSS") == 1) {
    if (auto checked = check_rsa(key); !checked) return std::unexpected(checked.error());
    // RFC 4055 section 1.2: a key of id-RSASSA-PSS is for nothing else.
    return EVP_PKEY_is_a(key, "RSA") == 1 ? rsa_algorithms : rsa_pss_algorithms;
  }
  if (EVP_PKEY_is_a(key, "EC") == 1) return algorithms_of_curve(key);
  // RFC 8037 section 3.1.
  if (EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1) {
    return AlgorithmSet{Algorithm::EdDSA};
  }
  return fault("a key of a type that no algorithm is for");
}

}  // namespace

std::expected<AlgorithmSet, KeyError> algorithms_of(EVP_PKEY* key) {
  const QuietErrors quiet;
  auto algorithms = algorithms_of_type(key);
  if (!algorithms) return algorithms;
  const OwnedKeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (!context || EVP_PKEY_public_check(context.get()) != 1) {
    return fault("a key whose numbers do not make a key of its type");
  }
  return algorithms;
}

}  // namespace auth
