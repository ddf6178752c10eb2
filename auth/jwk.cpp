#include "auth/jwk.h"

#include <algorithm>
#include <array>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>

#include "auth/base64url.h"
#include "auth/ec_curve.h"
#include "auth/json.h"

namespace auth {
namespace {

using OwnedParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;
using OwnedParameters = std::unique_ptr<OSSL_PARAM, Release<OSSL_PARAM_free>>;

std::unexpected<KeyError> fault(std::string what) { return std::unexpected(KeyError{what}); }

// A member that the key's type demands.
std::expected<std::string, KeyError> octets_member(const json_t* jwk, const char* name) {
  const json_t* member = json_object_get(jwk, name);
  auto octets = json_is_string(member) ? base64url_decode(string_of(member)) : std::nullopt;
  if (!octets || octets->empty()) {
    return fault("'" + std::string(name) + "' is not there or no base64url");
  }
  return *std::move(octets);
}

OwnedKey key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const OwnedParameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const OwnedKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return OwnedKey(key);
}

OwnedNumber number_of(std::string_view octets) {
  return OwnedNumber(BN_bin2bn(octets_of(octets), static_cast<int>(octets.size()), nullptr));
}

// RFC 7518 section 6.3.1.
std::expected<OwnedKey, KeyError> rsa_key(const json_t* jwk) {
  const auto modulus = octets_member(jwk, "n");
  if (!modulus) return std::unexpected(modulus.error());
  const auto exponent = octets_member(jwk, "e");
  if (!exponent) return std::unexpected(exponent.error());
  const OwnedNumber n = number_of(*modulus);
  const OwnedNumber e = number_of(*exponent);
  const OwnedParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return fault("'n' and 'e' make no RSA key");
  }
  OwnedKey key = key_from("RSA", builder.get());
  if (!key) return fault("'n' and 'e' make no RSA key");
  return key;
}

struct EdwardsCurve {
  std::string_view crv;
  const char* name;  // OpenSSL's
  std::size_t octets;
};
constexpr std::array<EdwardsCurve, 2> edwards_curves = {
    {{"Ed25519", "ED25519", 32}, {"Ed448", "ED448", 57}}};

template <class Curve, std::size_t count>
const Curve* find_curve(const json_t* jwk, const std::array<Curve, count>& curves) {
  const std::string_view crv = string_of(json_object_get(jwk, "crv"));
  const auto curve = std::ranges::find(curves, crv, &Curve::crv);
  return curve == curves.end() ? nullptr : &*curve;
}

// RFC 7518 section 6.2.1.
std::expected<OwnedKey, KeyError> ec_key(const json_t* jwk) {
  const EcCurve* curve = find_curve(jwk, ec_curves);
  if (curve == nullptr) return fault("'crv' of an EC key is P-256, P-384 or P-521");
  const auto x = octets_member(jwk, "x");
  if (!x) return std::unexpected(x.error());
  const auto y = octets_member(jwk, "y");
  if (!y) return std::unexpected(y.error());
  if (x->size() != curve->coordinate_octets || y->size() != curve->coordinate_octets) {
    return fault("'x' and 'y' take exactly " + std::to_string(curve->coordinate_octets) +
                 " octets on " + std::string(curve->crv));
  }
  const std::string point = "\x04" + *x + *y;  // SEC 1 section 2.3.3, uncompressed
  const OwnedParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve->name, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return fault("'x' and 'y' make no EC key");
  }
  OwnedKey key = key_from("EC", builder.get());
  if (!key) return fault("'x' and 'y' are no point of " + std::string(curve->crv));
  return key;
}

// RFC 8037 section 2.
std::expected<OwnedKey, KeyError> okp_key(const json_t* jwk) {
  const EdwardsCurve* curve = find_curve(jwk, edwards_curves);
  if (curve == nullptr) return fault("'crv' of an OKP key that signs is Ed25519 or Ed448");
  const auto x = octets_member(jwk, "x");
  if (!x) return std::unexpected(x.error());
  OwnedKey key(
      EVP_PKEY_new_raw_public_key_ex(nullptr, curve->name, nullptr, octets_of(*x), x->size()));
  if (x->size() != curve->octets || !key) {
    return fault("'x' takes exactly " + std::to_string(curve->octets) + " octets on " +
                 std::string(curve->crv));
  }
  return key;
}

// RFC 7517 sections 4.2 and 4.3.
std::expected<void, KeyError> check_use(const json_t* jwk) {
  const json_t* use = json_object_get(jwk, "use");
  if (use != nullptr && string_of(use) != "sig") return fault("'use' is another one than 'sig'");
  const json_t* operations = json_object_get(jwk, "key_ops");
  if (operations == nullptr) return {};
  for (std::size_t index = 0; index < json_array_size(operations); ++index) {
    if (string_of(json_array_get(operations, index)) == "verify") return {};
  }
  return fault("'key_ops' is without 'verify'");
}

// RFC 7517 sections 4.4 and 4.5: a key that names its algorithm has no other.
std::expected<KeyTerms, KeyError> terms_of(const json_t* jwk, AlgorithmSet allowed,
                                           std::optional<WallTime> not_after) {
  KeyTerms terms{.algorithms = allowed, .key_id = {}, .not_after = not_after};
  if (const json_t* name = json_object_get(jwk, "alg"); name != nullptr) {
    const auto algorithm = parse_algorithm(string_of(name));
    if (!algorithm) return fault("'alg' names no algorithm that tokens are signed with");
    if (!allowed.contains(*algorithm)) {
      return fault("'alg' is " + std::string(name_of(*algorithm)) +
                   ", which is not among the algorithms allowed");
    }
    terms.algorithms = {*algorithm};
  }
  if (const json_t* key_id = json_object_get(jwk, "kid"); key_id != nullptr) {
    if (!json_is_string(key_id)) return fault("'kid' is no string");
    terms.key_id = string_of(key_id);
  }
  return terms;
}

std::expected<OwnedVerificationKey, KeyError> parse_secret(const json_t* jwk, KeyTerms terms) {
  auto secret = octets_member(jwk, "k");
  if (!secret) return std::unexpected(secret.error());
  auto key = make_secret_key(*secret, std::move(terms));
  OPENSSL_cleanse(secret->data(), secret->size());
  return key;
}

std::expected<OwnedVerificationKey, KeyError> parse_public(const json_t* jwk, std::string_view type,
                                                           KeyTerms terms) {
  if (json_object_get(jwk, "d") != nullptr) {
    return fault("a private key ('d'): tokens are verified with the public one");
  }
  auto key = type == "RSA" ? rsa_key(jwk) : type == "EC" ? ec_key(jwk) : okp_key(jwk);
  if (!key) return std::unexpected(key.error());
  return make_public_key(*std::move(key), std::move(terms));
}

}  // namespace

std::expected<OwnedVerificationKey, KeyError> parse_jwk(const json_t* jwk, AlgorithmSet allowed,
                                                        std::optional<WallTime> not_after) {
  const QuietErrors quiet;
  if (!json_is_object(jwk)) return fault("a key is a JSON object");
  const std::string_view type = string_of(json_object_get(jwk, "kty"));
  if (type != "RSA" && type != "EC" && type != "OKP" && type != "oct") {
    return fault("'kty' is none of RSA, EC, OKP and oct");
  }
  if (auto checked = check_use(jwk); !checked) return std::unexpected(checked.error());
  auto terms = terms_of(jwk, allowed, not_after);
  if (!terms) return std::unexpected(terms.error());
  if (type == "oct") return parse_secret(jwk, *std::move(terms));
  return parse_public(jwk, type, *std::move(terms));
}

}  // namespace auth
