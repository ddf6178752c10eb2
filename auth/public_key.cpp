// A public key: RSASSA-PKCS1-v1_5, RSASSA-PSS, ECDSA (RFC 7518 sections 3.3 to 3.5) and EdDSA
// (RFC 8037 section 3.1).
#include <array>
#include <string>
#include <vector>

#include <openssl/rsa.h>

#include "auth/ec_curve.h"
#include "auth/ecdsa_signature.h"
#include "auth/fingerprint.h"
#include "auth/key.h"
#include "auth/key_type.h"

namespace auth {
namespace {

struct Scheme {
  Algorithm algorithm;
  const char* digest;
  int padding;                    // RSA alone
  std::size_t coordinate_octets;  // ECDSA alone
};
constexpr std::array<Scheme, 9> schemes = {{
    {Algorithm::RS256, "SHA256", RSA_PKCS1_PADDING, 0},
    {Algorithm::RS384, "SHA384", RSA_PKCS1_PADDING, 0},
    {Algorithm::RS512, "SHA512", RSA_PKCS1_PADDING, 0},
    {Algorithm::PS256, "SHA256", RSA_PKCS1_PSS_PADDING, 0},
    {Algorithm::PS384, "SHA384", RSA_PKCS1_PSS_PADDING, 0},
    {Algorithm::PS512, "SHA512", RSA_PKCS1_PSS_PADDING, 0},
    {Algorithm::ES256, "SHA256", 0, ec_curves[0].coordinate_octets},
    {Algorithm::ES384, "SHA384", 0, ec_curves[1].coordinate_octets},
    {Algorithm::ES512, "SHA512", 0, ec_curves[2].coordinate_octets},
}};

// One algorithm of the key, ready to verify: a verification copies the context, which spares it
// the look-up of what the algorithm is made of.
struct Ready {
  const Scheme* scheme;
  OwnedDigest digest;
  OwnedKeyContext context;
};

std::optional<Ready> make_ready(EVP_PKEY* key, const Scheme& scheme) {
  Ready ready{&scheme, OwnedDigest(EVP_MD_fetch(nullptr, scheme.digest, nullptr)),
              OwnedKeyContext(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr))};
  EVP_PKEY_CTX* context = ready.context.get();
  const EVP_MD* digest = ready.digest.get();
  if (digest == nullptr || context == nullptr || EVP_PKEY_verify_init(context) != 1) {
    return std::nullopt;
  }
  if (scheme.padding != 0 && EVP_PKEY_CTX_set_rsa_padding(context, scheme.padding) != 1) {
    return std::nullopt;
  }
  if (EVP_PKEY_CTX_set_signature_md(context, digest) != 1) return std::nullopt;
  // RFC 7518 section 3.5: MGF1 with the same hash, a salt of the hash's length.
  if (scheme.padding == RSA_PKCS1_PSS_PADDING &&
      (EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) != 1 ||
       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    return std::nullopt;
  }
  return ready;
}

class PublicKey final : public Key {
 public:
  PublicKey(OwnedKey key, std::vector<Ready> ready, KeyTerms terms)
      : Key(std::move(terms)), key_(std::move(key)), ready_(std::move(ready)) {}

  bool verifies(Algorithm algorithm, std::string_view signing_input,
                std::string_view signature) const override {
    const QuietErrors quiet;
    if (algorithm == Algorithm::EdDSA) return verifies_unhashed(signing_input, signature);
    for (const Ready& ready : ready_) {
      if (ready.scheme->algorithm == algorithm)
        return verifies_digest(ready, signing_input, signature);
    }
    return false;
  }

 private:
  bool verifies_digest(const Ready& ready, std::string_view signing_input,
                       std::string_view signature) const {
    // RFC 8017 sections 8.1.2 and 8.2.2, step 1. OpenSSL does not ask RSASSA-PSS for it: a
    // signature that begins with a zero octet would be good without that octet, too.
    if (ready.scheme->padding != 0 &&
        signature.size() != static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()))) {
      return false;
    }
    std::string der;
    if (const std::size_t octets = ready.scheme->coordinate_octets; octets != 0) {
      der = ecdsa_der(signature, octets);
      if (der.empty()) return false;
      signature = der;
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned digest_octets = 0;
    const OwnedKeyContext context(EVP_PKEY_CTX_dup(ready.context.get()));
    return context &&
           EVP_Digest(signing_input.data(), signing_input.size(), digest.data(), &digest_octets,
                      ready.digest.get(), nullptr) == 1 &&
           EVP_PKEY_verify(context.get(), octets_of(signature), signature.size(), digest.data(),
                           digest_octets) == 1;
  }

  // EdDSA hashes by itself.
  bool verifies_unhashed(std::string_view signing_input, std::string_view signature) const {
    const OwnedDigestContext context(EVP_MD_CTX_new());
    return context &&
           EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
           EVP_DigestVerify(context.get(), octets_of(signature), signature.size(),
                            octets_of(signing_input), signing_input.size()) == 1;
  }

  OwnedKey key_;
  std::vector<Ready> ready_;
};

// As a SubjectPublicKeyInfo (RFC 5280 section 4.1), in which every source of the key would write
// it.
std::uint64_t fingerprint_of(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int octets = i2d_PUBKEY(key, &der);
  if (octets <= 0) return 0;
  const auto fingerprint =
      auth::fingerprint_of({reinterpret_cast<const char*>(der), static_cast<std::size_t>(octets)});
  OPENSSL_free(der);
  return fingerprint;
}

}  // namespace

std::expected<OwnedVerificationKey, KeyError> make_public_key(OwnedKey key, KeyTerms terms) {
  const QuietErrors quiet;
  const auto algorithms = algorithms_of(key.get());
  if (!algorithms) return std::unexpected(algorithms.error());
  const AlgorithmSet wanted = *algorithms & terms.algorithms;
  terms.algorithms =
      wanted.contains(Algorithm::EdDSA) ? AlgorithmSet{Algorithm::EdDSA} : AlgorithmSet{};
  std::vector<Ready> ready;
  for (const Scheme& scheme : schemes) {
    if (!wanted.contains(scheme.algorithm)) continue;
    // A key of id-RSASSA-PSS may be bound to one hash: then it serves only that (RFC 4055).
    if (auto one = make_ready(key.get(), scheme)) {
      terms.algorithms.add(scheme.algorithm);
      ready.push_back(std::move(*one));
    }
  }
  if (terms.algorithms.empty()) {
    return std::unexpected(KeyError{"a key that fits none of the algorithms allowed"});
  }
  terms.fingerprint = fingerprint_of(key.get());
  if (terms.fingerprint == 0) return std::unexpected(KeyError{"OpenSSL cannot write this key"});
  return std::make_unique<PublicKey>(std::move(key), std::move(ready), std::move(terms));
}

}  // namespace auth
