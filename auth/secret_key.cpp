// A shared secret: HMAC (RFC 7518 section 3.2).
#include <array>
#include <string>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "auth/fingerprint.h"
#include "auth/key.h"
#include "auth/key_set.h"

namespace auth {
namespace {

struct Hmac {
  Algorithm algorithm;
  const char* digest;
};
constexpr std::array<Hmac, 3> hmacs = {{
    {Algorithm::HS256, "SHA256"},
    {Algorithm::HS384, "SHA384"},
    {Algorithm::HS512, "SHA512"},
}};

// Holds no secret but in contexts that have been keyed with it: a verification copies one, which
// costs half of keying it again.
class SecretKey final : public Key {
 public:
  SecretKey(std::array<OwnedMacContext, hmacs.size()> keyed, KeyTerms terms)
      : Key(std::move(terms)), keyed_(std::move(keyed)) {}

  bool verifies(Algorithm algorithm, std::string_view signing_input,
                std::string_view signature) const override {
    const QuietErrors quiet;
    const OwnedMacContext context(EVP_MAC_CTX_dup(keyed_of(algorithm)));
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac;
    std::size_t octets = 0;
    if (!context ||
        EVP_MAC_update(context.get(), octets_of(signing_input), signing_input.size()) != 1 ||
        EVP_MAC_final(context.get(), mac.data(), &octets, mac.size()) != 1) {
      return false;
    }
    return signature.size() == octets && CRYPTO_memcmp(mac.data(), signature.data(), octets) == 0;
  }

 private:
  const EVP_MAC_CTX* keyed_of(Algorithm algorithm) const {
    for (std::size_t index = 0; index < hmacs.size(); ++index) {
      if (hmacs[index].algorithm == algorithm) return keyed_[index].get();
    }
    return nullptr;
  }

  std::array<OwnedMacContext, hmacs.size()> keyed_;  // in the order of `hmacs`
};

OwnedMacContext keyed_context(EVP_MAC* mac, const char* digest, std::string_view secret) {
  OwnedMacContext context(EVP_MAC_CTX_new(mac));
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0),
      OSSL_PARAM_construct_end()};
  if (!context ||
      EVP_MAC_init(context.get(), octets_of(secret), secret.size(), parameters.data()) != 1) {
    return nullptr;
  }
  return context;
}

}  // namespace

std::expected<OwnedVerificationKey, KeyError> make_secret_key(std::string_view secret,
                                                              KeyTerms terms) {
  const QuietErrors quiet;
  terms.algorithms = terms.algorithms & hmac_algorithms;
  if (terms.algorithms.empty()) {
    return std::unexpected(
        KeyError{"a secret serves HS256, HS384 and HS512, none of which is "
                 "among the algorithms allowed"});
  }
  if (secret.size() < KeySet::secret_octets_min) {
    return std::unexpected(KeyError{"a secret of " + std::to_string(secret.size()) +
                                    " octets; it takes at least " +
                                    std::to_string(KeySet::secret_octets_min)});
  }
  const OwnedMac mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  std::array<OwnedMacContext, hmacs.size()> keyed;
  for (std::size_t index = 0; index < hmacs.size(); ++index) {
    if (!terms.algorithms.contains(hmacs[index].algorithm)) continue;
    keyed[index] = mac ? keyed_context(mac.get(), hmacs[index].digest, secret) : nullptr;
    if (!keyed[index]) return std::unexpected(KeyError{"OpenSSL here has no HMAC for it"});
  }
  terms.fingerprint = fingerprint_of(secret);
  if (terms.fingerprint == 0) return std::unexpected(KeyError{"OpenSSL here has no SHA-256"});
  return std::make_unique<SecretKey>(std::move(keyed), std::move(terms));
}

}  // namespace auth
