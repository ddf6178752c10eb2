#include "proxy/tls_context.h"

#include <algorithm>
#include <array>
#include <optional>
#include <ranges>
#include <utility>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

#include "proxy/http.h"
#include "proxy/openssl_owned.h"

namespace proxy {

namespace {

constexpr auto ciphers_of_tls_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr auto groups = "X25519:P-256:P-384";
constexpr int security_level = 2;  // 112 bits, as for the key of a certificate

// RFC 8446 section 4.6.1 allows a week. Who was let in by a certificate that ends meanwhile comes
// back with a ticket for as long.
constexpr long ticket_lifetime_s = 3600;
constexpr std::size_t tickets_per_handshake = 1;

// ALPN's list of one (RFC 7301 section 3.1): its length, then its octets.
constexpr std::array<unsigned char, 9> http_1_1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

using OwnedContext = std::shared_ptr<SSL_CTX>;

std::string openssl_error() {
  const auto* reason = ERR_reason_error_string(ERR_peek_error());
  ERR_clear_error();
  return reason ? reason : "out of memory";
}

// Null: out of memory, or the system's own configuration of OpenSSL does not allow it.
OwnedContext make_context(const SSL_METHOD* method) {
  ERR_clear_error();
  OwnedContext context(SSL_CTX_new(method), SSL_CTX_free);
  if (!context) return nullptr;
  auto* raw = context.get();
  SSL_CTX_set_security_level(raw, security_level);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // An idle connection holds no buffers of records (34 KiB).
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  const bool set = SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1 &&
                   SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1 &&
                   SSL_CTX_set_cipher_list(raw, ciphers_of_tls_1_2) == 1 &&
                   SSL_CTX_set1_groups_list(raw, groups) == 1;
  return set ? context : nullptr;
}

bool believe(SSL_CTX* context, const std::vector<std::shared_ptr<X509>>& authorities) {
  auto* store = SSL_CTX_get_cert_store(context);
  return std::ranges::all_of(authorities, [store](const auto& authority) {
    return X509_STORE_add_cert(store, authority.get()) == 1;
  });
}

// One that offers no protocol at all speaks HTTP/1.1 as well; one that does not offer it gets the
// alert no_application_protocol (RFC 7301 section 3.2).
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, chosen_size, http_1_1.data(), http_1_1.size(),
                                           offered, offered_size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The name, its length and the two keys that OpenSSL protects tickets with (RFC 5077 section 4).
using TicketKeys = std::array<unsigned char, 80>;

// Of the process: a ticket is good on every worker, and after a reload.
std::optional<TicketKeys> ticket_keys() {
  static const auto keys = []() -> std::optional<TicketKeys> {
    TicketKeys made;
    if (RAND_priv_bytes(made.data(), static_cast<int>(made.size())) != 1) return std::nullopt;
    return made;
  }();
  return keys;
}

// What a session stands for: only a listener that would ask the same of the client resumes it. One
// that asks for no certificate must not make sessions for one that does.
bool tie_sessions(SSL_CTX* context, const TlsServerSettings& settings) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  const std::string asked =
      std::to_string(static_cast<int>(settings.client_auth)) + settings.client_authorities;
  static_assert(digest.size() <= SSL_MAX_SID_CTX_LENGTH);
  return EVP_Digest(asked.data(), asked.size(), digest.data(), nullptr, EVP_sha256(), nullptr) &&
         SSL_CTX_set_session_id_context(context, digest.data(), digest.size()) == 1;
}

// To a context or to a connection, by OpenSSL's function for that. Besides those of other kinds of
// keys that it has already.
template <typename To>
bool use(To* to, const TlsCertificate& certificate,
         int (*give)(To*, X509*, EVP_PKEY*, STACK_OF(X509) *, int)) {
  const auto& chain = certificate.chain();
  STACK_OF(X509)* issuers = sk_X509_new_null();
  for (const auto& issuer : chain | std::views::drop(1)) sk_X509_push(issuers, issuer.get());
  const bool used = give(to, chain.front().get(), certificate.key(), issuers, 1) == 1;
  sk_X509_free(issuers);
  return used;
}

}  // namespace

TlsServerContext::TlsServerContext(TlsServerSettings settings) : settings_(std::move(settings)) {
  for (std::size_t i = 0; i < settings_.certificates.size(); ++i) {
    for (const auto& name : settings_.certificates[i].names()) by_name_[name].push_back(i);
  }
}

std::expected<std::shared_ptr<const TlsServerContext>, std::string> TlsServerContext::make(
    TlsServerSettings settings) {
  std::shared_ptr<TlsServerContext> made(new TlsServerContext(std::move(settings)));
  made->context_ = make_context(TLS_server_method());
  auto* raw = made->context_.get();
  auto keys = ticket_keys();
  const bool set = raw && keys &&
                   use(raw, made->settings_.certificates.front(), SSL_CTX_use_cert_and_key) &&
                   SSL_CTX_set_tlsext_ticket_keys(raw, keys->data(), keys->size()) == 1 &&
                   SSL_CTX_set_num_tickets(raw, tickets_per_handshake) == 1 &&
                   tie_sessions(raw, made->settings_) && made->ask_for_certificates();
  if (!set) return std::unexpected(openssl_error());
  SSL_CTX_set_timeout(raw, ticket_lifetime_s);
  SSL_CTX_set_cert_cb(raw, choose_certificate, made.get());
  SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  return made;
}

bool TlsServerContext::ask_for_certificates() {
  using ClientAuth = TlsServerSettings::ClientAuth;
  if (settings_.client_auth == ClientAuth::None) return true;
  auto authorities = parse_authorities(settings_.client_authorities);
  if (!authorities || !believe(context_.get(), *authorities)) return false;
  for (const auto& authority : *authorities) {
    if (SSL_CTX_add_client_CA(context_.get(), authority.get()) != 1) return false;
  }
  const bool required = settings_.client_auth == ClientAuth::Require;
  // A ticket would let in who had a good certificate once, and with TLS 1.3 for ever: OpenSSL
  // renews it at each use, and does not look at the certificate again.
  SSL_CTX_set_options(context_.get(), SSL_OP_NO_TICKET);
  if (SSL_CTX_set_num_tickets(context_.get(), 0) != 1) return false;
  SSL_CTX_set_verify(context_.get(),
                     SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return true;
}

// Exactly, or by a wildcard for one label. Null: no certificate is for that name.
const std::vector<std::size_t>* TlsServerContext::certificates_for(std::string_view name) const {
  const auto lower = lower_case(name);
  auto found = by_name_.find(lower);
  if (const auto dot = lower.find('.'); found == by_name_.end() && dot != lower.npos) {
    found = by_name_.find("*" + lower.substr(dot));
  }
  return found == by_name_.end() ? nullptr : &found->second;
}

// RFC 6066 section 3. Where several have the name, OpenSSL takes the one whose key the client can
// verify with; the first, where they have the same kind of key.
int TlsServerContext::choose_certificate(SSL* tls, void* context) {
  const auto& self = *static_cast<const TlsServerContext*>(context);
  const char* name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
  const auto* found = name ? self.certificates_for(name) : nullptr;
  if (!found || (found->size() == 1 && found->front() == 0)) return 1;
  SSL_certs_clear(tls);
  return std::ranges::all_of(*found | std::views::reverse, [&](std::size_t i) {
    return use(tls, self.settings_.certificates[i], SSL_use_cert_and_key);
  });
}

std::expected<std::shared_ptr<const TlsClientContext>, std::string> TlsClientContext::make(
    std::string_view authorities) {
  std::shared_ptr<TlsClientContext> made(new TlsClientContext);
  made->context_ = make_context(TLS_client_method());
  auto* raw = made->context_.get();
  if (!raw || SSL_CTX_set_alpn_protos(raw, http_1_1.data(), http_1_1.size()) != 0) {
    return std::unexpected(openssl_error());
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  if (authorities.empty()) {
    if (SSL_CTX_set_default_verify_paths(raw) != 1) return std::unexpected(openssl_error());
    return made;
  }
  auto parsed = parse_authorities(authorities);
  if (!parsed) return std::unexpected(parsed.error());
  if (!believe(raw, *parsed)) return std::unexpected(openssl_error());
  return made;
}

}  // namespace proxy
