#include "auth/issue.h"

#include <cstdlib>
#include <optional>

#include <jwt.h>
#include <openssl/rsa.h>

#include "auth/base64url.h"
#include "auth/json.h"
#include "auth/key_set.h"
#include "auth/key_type.h"
#include "auth/openssl.h"
#include "auth/pem.h"
#include "auth/token.h"

namespace auth {
namespace {

std::unexpected<KeyError> fault(std::string what) { return std::unexpected(KeyError{what}); }

// libjwt 1 signs these; its RSASSA-PSS does not work on OpenSSL, and it has no EdDSA.
std::optional<jwt_alg_t> libjwt_algorithm(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::HS256:
      return JWT_ALG_HS256;
    case Algorithm::HS384:
      return JWT_ALG_HS384;
    case Algorithm::HS512:
      return JWT_ALG_HS512;
    case Algorithm::RS256:
      return JWT_ALG_RS256;
    case Algorithm::RS384:
      return JWT_ALG_RS384;
    case Algorithm::RS512:
      return JWT_ALG_RS512;
    case Algorithm::ES256:
      return JWT_ALG_ES256;
    case Algorithm::ES384:
      return JWT_ALG_ES384;
    case Algorithm::ES512:
      return JWT_ALG_ES512;
    default:
      return std::nullopt;
  }
}

struct Work {
  Algorithm algorithm;
  std::string key;
  std::string claims_json;
  std::string key_id;
};

std::string sign_with_libjwt(const Work& work, jwt_alg_t algorithm) {
  jwt_t* made = nullptr;
  if (jwt_new(&made) != 0) return {};
  const std::unique_ptr<jwt_t, Release<jwt_free>> jwt(made);
  if (jwt_set_alg(made, algorithm, octets_of(work.key), static_cast<int>(work.key.size())) != 0 ||
      jwt_add_grants_json(made, work.claims_json.c_str()) != 0 ||
      (!work.key_id.empty() && jwt_add_header(made, "kid", work.key_id.c_str()) != 0)) {
    return {};
  }
  const std::unique_ptr<char, Release<std::free>> text(jwt_encode_str(made));
  return text ? std::string(text.get()) : std::string();
}

std::string header_json(const Work& work) {
  const OwnedJson header(json_object());
  const auto set = [&](const char* name, std::string_view value) {
    json_object_set_new(header.get(), name, json_stringn(value.data(), value.size()));
  };
  set("alg", name_of(work.algorithm));
  set("typ", "JWT");
  if (!work.key_id.empty()) set("kid", work.key_id);
  return dump_json(header.get());
}

const EVP_MD* pss_digest(Algorithm algorithm) {
  if (algorithm == Algorithm::PS256) return EVP_sha256();
  if (algorithm == Algorithm::PS384) return EVP_sha384();
  return algorithm == Algorithm::PS512 ? EVP_sha512() : nullptr;
}

std::string sign_with_openssl(const Work& work, EVP_PKEY* key) {
  const std::string input =
      base64url_encode(header_json(work)) + "." + base64url_encode(work.claims_json);
  const EVP_MD* digest = pss_digest(work.algorithm);  // none: EdDSA hashes by itself
  const OwnedDigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  if (!context || EVP_DigestSignInit(context.get(), &parameters, digest, nullptr, key) != 1) {
    return {};
  }
  // RFC 7518 section 3.5.
  if (digest != nullptr &&
      (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) != 1 ||
       EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    return {};
  }
  std::size_t octets = 0;
  if (EVP_DigestSign(context.get(), nullptr, &octets, octets_of(input), input.size()) != 1) {
    return {};
  }
  std::string signature(octets, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &octets,
                     octets_of(input), input.size()) != 1) {
    return {};
  }
  signature.resize(octets);
  return input + "." + base64url_encode(signature);
}

std::expected<void, KeyError> check_secret(std::string_view secret) {
  if (secret.size() >= KeySet::secret_octets_min) return {};
  return fault("a secret of " + std::to_string(secret.size()) + " octets; it takes at least " +
               std::to_string(KeySet::secret_octets_min));
}

std::expected<OwnedKey, KeyError> private_key_for(const Work& work) {
  auto key = parse_private_pem(work.key);
  if (!key) return key;
  const auto algorithms = algorithms_of(key->get());
  if (!algorithms) return std::unexpected(algorithms.error());
  if (!algorithms->contains(work.algorithm)) {
    return fault("a private key that is not for " + std::string(name_of(work.algorithm)));
  }
  return key;
}

std::expected<std::string, KeyError> sign(const Work& work) {
  const QuietErrors quiet;
  OwnedKey key;
  if (hmac_algorithms.contains(work.algorithm)) {
    if (auto checked = check_secret(work.key); !checked) return std::unexpected(checked.error());
  } else {
    auto parsed = private_key_for(work);
    if (!parsed) return std::unexpected(parsed.error());
    key = *std::move(parsed);
  }
  const auto algorithm = libjwt_algorithm(work.algorithm);
  std::string token =
      algorithm ? sign_with_libjwt(work, *algorithm) : sign_with_openssl(work, key.get());
  if (token.empty()) return fault("this key cannot sign " + std::string(name_of(work.algorithm)));
  return token;
}

}  // namespace

std::expected<std::string, KeyError> issue_token(Algorithm algorithm, std::string_view key,
                                                 std::string_view claims_json,
                                                 std::string_view key_id) {
  // Before libjwt, which puts its text on the stack however long it is.
  if (claims_json.size() + key_id.size() > token_octets_max)
    return fault("a token of more than " + std::to_string(token_octets_max) + " octets");
  if (!parse_json_object(claims_json)) return fault("the claims are not one JSON object");
  auto token = sign({algorithm, std::string(key), std::string(claims_json), std::string(key_id)});
  if (token && token->size() > token_octets_max) {
    return fault("a token of more than " + std::to_string(token_octets_max) + " octets");
  }
  return token;
}

}  // namespace auth
