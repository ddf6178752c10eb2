// What a TLS server says who it is with: an X.509 certificate (RFC 5280), those that vouch for it,
// and its private key.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/timers.h"

struct evp_pkey_st;
struct x509_st;

namespace proxy {

struct CertificateError {
  enum class Of : std::uint8_t { Certificate, Key };
  Of of;
  std::string what;  // a sentence of ours, nothing of the file in it
};

class TlsCertificate {
 public:
  static constexpr std::size_t chain_max = 16;   // certificates of a file
  static constexpr std::size_t names_max = 512;  // of a certificate
  // What 112 bits of security take (RFC 7525 section 4.3).
  static constexpr int rsa_bits_min = 2048;

  // Both are PEM (RFC 7468): the server's own certificate first, then those that vouch for it; and
  // a key without a passphrase, which must be the certificate's.
  static std::expected<TlsCertificate, CertificateError> parse(std::string_view chain,
                                                               std::string_view key);

  // DNS names of its subjectAltName in lower case, also "*.example.com" (RFC 6125 section 6.4.3).
  const std::vector<std::string>& names() const { return names_; }
  WallTime not_after() const { return not_after_; }

  // For the other files of proxy/.
  const std::vector<std::shared_ptr<x509_st>>& chain() const { return chain_; }
  evp_pkey_st* key() const { return key_.get(); }

 private:
  TlsCertificate() = default;

  std::vector<std::shared_ptr<x509_st>> chain_;  // its own first
  std::shared_ptr<evp_pkey_st> key_;
  std::vector<std::string> names_;
  WallTime not_after_{};
};

// Those who may vouch for a peer, in PEM. The error is a sentence of ours.
std::expected<std::vector<std::shared_ptr<x509_st>>, std::string> parse_authorities(
    std::string_view pem);

}  // namespace proxy
