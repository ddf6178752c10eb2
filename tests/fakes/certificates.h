// Certificates for a test, made in memory with OpenSSL.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace tests {

class Certificate {
 public:
  struct About {
    std::string names = "DNS:localhost";  // its subjectAltName, as openssl.cnf has it
    std::chrono::hours good_for{24};      // negative: it was, until then
    bool authority = false;
    int rsa_bits = 0;  // 0: a P-256 key
  };

  // Signed by itself without an issuer.
  explicit Certificate(const About& about, const Certificate* issuer = nullptr)
      : key_(about.rsa_bits ? EVP_RSA_gen(static_cast<unsigned>(about.rsa_bits))
                            : EVP_EC_gen("P-256"),
             EVP_PKEY_free),
        x509_(X509_new(), X509_free) {
    static long serial = 0;
    auto* raw = x509_.get();
    X509_set_version(raw, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(raw), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(raw), -48L * 3600);
    X509_gmtime_adj(X509_getm_notAfter(raw), about.good_for.count() * 3600);
    X509_set_pubkey(raw, key_.get());
    const auto name = "test " + std::to_string(serial);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.data()),
                               static_cast<int>(name.size()), -1, 0);
    X509_set_issuer_name(raw, X509_get_subject_name(issuer ? issuer->x509_.get() : raw));
    if (!about.names.empty()) extend(NID_subject_alt_name, about.names);
    if (about.authority) extend(NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(raw, issuer ? issuer->key_.get() : key_.get(), EVP_sha256());
  }

  std::string pem() const {
    return written([this](BIO* bio) { PEM_write_bio_X509(bio, x509_.get()); });
  }
  std::string key_pem() const {
    return written([this](BIO* bio) {
      PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

 private:
  void extend(int nid, const std::string& value) {
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(x509_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }

  template <typename Write>
  static std::string written(Write write) {
    std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    write(bio.get());
    char* octets = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &octets);
    return {octets, static_cast<std::size_t>(size)};
  }

  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> x509_;
};

}  // namespace tests
