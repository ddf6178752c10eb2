// Owners of OpenSSL's objects.
#pragma once

#include <memory>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace auth {

template <auto release>
struct Release {
  template <class Object>
  void operator()(Object* object) const {
    release(object);
  }
};

using OwnedKey = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using OwnedKeyContext = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;
using OwnedMac = std::unique_ptr<EVP_MAC, Release<EVP_MAC_free>>;
using OwnedMacContext = std::unique_ptr<EVP_MAC_CTX, Release<EVP_MAC_CTX_free>>;
using OwnedDigest = std::unique_ptr<EVP_MD, Release<EVP_MD_free>>;
using OwnedDigestContext = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>>;
using OwnedNumber = std::unique_ptr<BIGNUM, Release<BN_free>>;
using OwnedCertificate = std::unique_ptr<X509, Release<X509_free>>;
using OwnedBio = std::unique_ptr<BIO, Release<BIO_free_all>>;
using OwnedSignature = std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG_free>>;

// OpenSSL leaves a failure in its thread's error queue, where TLS on the same thread would take it
// for its own: a scope that may fail leaves the queue as it was.
class QuietErrors {
 public:
  QuietErrors() { ERR_set_mark(); }
  ~QuietErrors() { ERR_pop_to_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
};

inline const unsigned char* octets_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace auth
