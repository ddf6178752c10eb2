#include "gateway/policy_tls.h"

#include <utility>

#include <fmt/format.h>

#include "gateway/token_fault.h"
#include "proxy/host.h"

namespace gateway {

namespace {

using ClientAuth = proxy::TlsServerSettings::ClientAuth;

constexpr std::size_t certificates_max = 64;
constexpr std::size_t pem_octets_max = 1024 * 1024;
constexpr std::size_t path_octets_max = 4096;
constexpr std::size_t server_name_octets_max = 253;  // RFC 1035 section 3.1

// --- a listener's ---

struct CertificateFiles {
  std::optional<std::string> certificate;
  std::optional<std::string> key;
};

const std::vector<Key<CertificateFiles>>& certificate_keys() {
  static const std::vector<Key<CertificateFiles>> keys = {
      mandatory(key("certificate", text(1, path_octets_max), &CertificateFiles::certificate)
                    .says("the path of a PEM file: the server's own first, then those that vouch "
                          "for it")),
      mandatory(key("key", text(1, path_octets_max), &CertificateFiles::key)
                    .says("the path of a PEM file: its private key, without a passphrase")),
  };
  return keys;
}

void check_end(PolicyReader& reader, Mark mark, const proxy::TlsCertificate& certificate,
               auth::WallTime now) {
  if (certificate.not_after() > now) return;
  const auto end = std::chrono::floor<std::chrono::milliseconds>(certificate.not_after());
  reader.warn(mark, "certificate: it has expired at " + show_time(end));
}

void read_certificate(PolicyReader& reader, const YamlNode& node, auth::WallTime now,
                      std::vector<proxy::TlsCertificate>& certificates) {
  CertificateFiles files;
  if (!read_keys(reader, node, certificate_keys(), files) || !files.certificate || !files.key) {
    return;
  }
  const auto read = [&](std::string_view name, const std::string& path) {
    const auto outer = reader.enter(name);
    auto text = reader.contents(mark_at(node, name), path, pem_octets_max);
    reader.enter(outer);
    return text;
  };
  const auto chain = read("certificate", *files.certificate);
  const auto own_key = read("key", *files.key);
  if (!chain || !own_key) return;
  auto certificate = proxy::TlsCertificate::parse(*chain, *own_key);
  if (!certificate) {
    const bool of_key = certificate.error().of == proxy::CertificateError::Of::Key;
    const std::string_view name = of_key ? "key" : "certificate";
    reader.fault(mark_at(node, name), fmt::format("{}: {}", name, certificate.error().what));
    return;
  }
  check_end(reader, mark_at(node, "certificate"), *certificate, now);
  certificates.push_back(*std::move(certificate));
}

struct ServerTls {
  const YamlNode* certificates = nullptr;
  std::string client_authorities;
  ClientAuth client_auth = ClientAuth::Require;
};

// PEM of those who may vouch for a peer.
Type<std::string> authorities_file() {
  auto read = [](PolicyReader& reader, const YamlNode& node) -> std::optional<std::string> {
    auto path = text(1, path_octets_max).read(reader, node);
    auto pem = path ? reader.contents(node.mark, *path, pem_octets_max) : std::nullopt;
    if (!pem) return std::nullopt;
    if (auto authorities = proxy::parse_authorities(*pem); !authorities) {
      reader.wrong(node.mark, authorities.error());
      return std::nullopt;
    }
    return pem;
  };
  return {"the path of a file with certificates", read};
}

const std::vector<Key<ServerTls>>& server_keys() {
  static const std::vector<Key<ServerTls>> keys = {
      mandatory(key<ServerTls>("certificates", "a list", "",
                               [](PolicyReader&, const YamlEntry& entry, ServerTls& tls) {
                                 tls.certificates = &entry.value;
                               })
                    .says("the one that has the name asked for is shown, else the first")
                    .of(shapes_of(certificate_keys()), KeyShape::Holds::List)),
      key("client_ca", authorities_file(), &ServerTls::client_authorities)
          .if_left_out("clients are asked for no certificate")
          .says("who may vouch for a client's certificate"),
      key("client_auth",
          choice<ClientAuth>({{"require", ClientAuth::Require}, {"request", ClientAuth::Request}}),
          &ServerTls::client_auth)
          .if_left_out("`require`")
          .says("`request`: no certificate is fine, one that is not good is not; with `client_ca`"),
  };
  return keys;
}

std::vector<proxy::TlsCertificate> read_certificates(PolicyReader& reader, const YamlNode& node,
                                                     auth::WallTime now) {
  std::vector<proxy::TlsCertificate> certificates;
  if (node.kind != YamlNode::Kind::Sequence || node.items.empty() ||
      node.items.size() > certificates_max) {
    reader.fault(node.mark, fmt::format("certificates: expected a list of 1 to {} mappings, each "
                                        "with a 'certificate' and its 'key'",
                                        certificates_max));
    return certificates;
  }
  for (const YamlNode& item : node.items) read_certificate(reader, item, now, certificates);
  return certificates;
}

}  // namespace

std::vector<KeyShape> server_tls_shapes() { return shapes_of(server_keys()); }

std::shared_ptr<const proxy::TlsServerContext> read_server_tls(PolicyReader& reader,
                                                               const YamlNode& node,
                                                               auth::WallTime now) {
  const std::size_t faults_before = reader.fault_count();
  ServerTls tls;
  if (!read_keys(reader, node, server_keys(), tls)) return nullptr;
  proxy::TlsServerSettings settings;
  if (tls.certificates) settings.certificates = read_certificates(reader, *tls.certificates, now);
  const bool asks = node.find("client_ca");
  if (!asks && node.find("client_auth")) {
    reader.fault(mark_at(node, "client_auth"),
                 "'client_auth' without 'client_ca': nobody could vouch for a client");
  }
  if (reader.fault_count() > faults_before) return nullptr;
  settings.client_authorities = std::move(tls.client_authorities);
  settings.client_auth = asks ? tls.client_auth : ClientAuth::None;
  auto context = proxy::TlsServerContext::make(std::move(settings));
  if (!context) {
    reader.fault(node.mark, fmt::format("tls: {}", context.error()));
    return nullptr;
  }
  return *std::move(context);
}

// --- a backend's ---

Type<ClientTls> client_tls() {
  auto parse_name = [](std::string_view text) -> std::expected<std::string, std::string> {
    const bool name = text.size() <= server_name_octets_max && !text.contains(':') &&
                      proxy::well_formed_host(text);
    if (!name && !proxy::IpAddress::parse(text)) {
      return std::unexpected("expected a host name or an IP address, such as chat.internal");
    }
    return std::string(text);
  };
  static const std::vector<Key<ClientTls>> keys = {
      key("ca", authorities_file(), &ClientTls::authorities)
          .if_left_out("whom the system believes")
          .says("who may vouch for the server's certificate"),
      key("server_name", parsed<std::string>("a host name", parse_name), &ClientTls::server_name)
          .if_left_out("the URL's host")
          .says("whom its certificate must be for, and who is asked for (SNI)"),
  };
  return mapping(keys);
}

}  // namespace gateway
