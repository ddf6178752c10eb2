// What TLS connections have in common (RFC 8446, RFC 5246): who this side is, whom it believes, and
// which protocols it speaks: TLS 1.2 and 1.3, for 1.2 with ephemeral keys and authenticated
// encryption alone (RFC 9325), no renegotiation, no compression, no early data.
//
// Immutable, and used by all workers at the same time.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/tls_certificate.h"

struct ssl_ctx_st;
struct ssl_st;

namespace proxy {

struct TlsServerSettings {
  enum class ClientAuth : std::uint8_t {
    None,
    Request,  // a client may have a certificate; one that is not good ends the handshake
    Require,
  };

  std::vector<TlsCertificate> certificates;  // at least one; the first is for names that none has
  std::string client_authorities;  // PEM, as parse_authorities() takes it; with ClientAuth
  ClientAuth client_auth = ClientAuth::None;
};

class TlsServerContext {
 public:
  // The error is OpenSSL's word for it.
  static std::expected<std::shared_ptr<const TlsServerContext>, std::string> make(
      TlsServerSettings settings);

  // For the other files of proxy/.
  ssl_ctx_st* raw() const { return context_.get(); }

 private:
  explicit TlsServerContext(TlsServerSettings settings);

  static int choose_certificate(ssl_st* tls, void* context);
  const std::vector<std::size_t>* certificates_for(std::string_view name) const;
  bool ask_for_certificates();

  TlsServerSettings settings_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_name_;  // in the policy's order
  std::shared_ptr<ssl_ctx_st> context_;
};

class TlsClientContext {
 public:
  // `authorities`: PEM of those that are believed; empty: those that the system believes.
  static std::expected<std::shared_ptr<const TlsClientContext>, std::string> make(
      std::string_view authorities);

  // For the other files of proxy/.
  ssl_ctx_st* raw() const { return context_.get(); }

 private:
  TlsClientContext() = default;

  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace proxy
