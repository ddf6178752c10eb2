// Ownership of OpenSSL's objects, in the files of proxy/ that know OpenSSL.
#pragma once

#include <memory>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace proxy {

template <auto release>
struct OpensslRelease {
  template <typename T>
  void operator()(T* object) const {
    release(object);
  }
};

using OwnedBio = std::unique_ptr<BIO, OpensslRelease<BIO_free>>;
using OwnedKey = std::unique_ptr<EVP_PKEY, OpensslRelease<EVP_PKEY_free>>;
using OwnedNames = std::unique_ptr<GENERAL_NAMES, OpensslRelease<GENERAL_NAMES_free>>;

// Reads `octets`, which outlive it.
inline OwnedBio bio_over(std::string_view octets) {
  return OwnedBio(BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size())));
}

}  // namespace proxy
