#include "proxy/tls_certificate.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "proxy/http.h"
#include "proxy/openssl_owned.h"

namespace proxy {

namespace {

constexpr std::size_t authorities_max = 1024;
constexpr int security_bits_min = 112;

// Without it OpenSSL would ask at the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

using Certificates = std::vector<std::shared_ptr<X509>>;

std::expected<Certificates, std::string> parse_certificates(std::string_view pem,
                                                            std::size_t count_max) {
  auto bio = bio_over(pem);
  Certificates certificates;
  ERR_clear_error();
  while (auto* next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) {
    certificates.emplace_back(next, X509_free);
    if (certificates.size() > count_max) {
      return std::unexpected(fmt::format("more than {} certificates", count_max));
    }
  }
  // The end of the file is an error, too: that nothing begins any more.
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty()) return std::unexpected("no certificate in PEM is in it");
  if (!at_end) {
    return std::unexpected(
        fmt::format("certificate {} of it cannot be read", certificates.size() + 1));
  }
  return certificates;
}

std::expected<OwnedKey, std::string> parse_key(std::string_view pem) {
  auto bio = bio_over(pem);
  OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!key) return std::unexpected("no private key in PEM without a passphrase is in it");
  if (EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA &&
      EVP_PKEY_get_bits(key.get()) < TlsCertificate::rsa_bits_min) {
    return std::unexpected(fmt::format("an RSA key of {} bits: it must have at least {}",
                                       EVP_PKEY_get_bits(key.get()), TlsCertificate::rsa_bits_min));
  }
  if (EVP_PKEY_get_security_bits(key.get()) < security_bits_min) {
    return std::unexpected(fmt::format("a key that gives {} bits of security: at least {} are",
                                       EVP_PKEY_get_security_bits(key.get()), security_bits_min));
  }
  return key;
}

std::vector<std::string> names_of(X509& certificate) {
  std::vector<std::string> names;
  OwnedNames all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  if (!all) return names;
  for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_DNS || names.size() == TlsCertificate::names_max) continue;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName));
    names.push_back(lower_case({text, size}));
  }
  return names;
}

// What cannot be read as a time is over.
WallTime end_of(const X509& certificate) {
  std::tm calendar{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &calendar) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&calendar));
}

}  // namespace

std::expected<TlsCertificate, CertificateError> TlsCertificate::parse(std::string_view chain,
                                                                      std::string_view key) {
  auto certificates = parse_certificates(chain, chain_max);
  if (!certificates) {
    return std::unexpected(
        CertificateError{CertificateError::Of::Certificate, certificates.error()});
  }
  auto own_key = parse_key(key);
  if (!own_key)
    return std::unexpected(CertificateError{CertificateError::Of::Key, own_key.error()});
  X509& own = *certificates->front();
  const bool match = X509_check_private_key(&own, own_key->get()) == 1;
  ERR_clear_error();
  if (!match) {
    return std::unexpected(
        CertificateError{CertificateError::Of::Key, "it is not the key of the certificate"});
  }
  TlsCertificate parsed;
  parsed.names_ = names_of(own);
  parsed.not_after_ = end_of(own);
  parsed.chain_ = std::move(*certificates);
  parsed.key_ = std::move(*own_key);
  return parsed;
}

std::expected<std::vector<std::shared_ptr<x509_st>>, std::string> parse_authorities(
    std::string_view pem) {
  return parse_certificates(pem, authorities_max);
}

}  // namespace proxy
