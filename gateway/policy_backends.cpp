#include "gateway/policy_backends.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "gateway/policy_tls.h"
#include "gateway/policy_values.h"

namespace gateway {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t servers_max = 64;

// Whoever reads logs and metrics is not told what a variable holds, which may be a secret.
Type<BackendServer> server() {
  auto url = parsed<BackendServer>("a ws:// or wss:// URL", parse_server);
  auto read = [parse = std::move(url.read)](PolicyReader& reader, const YamlNode& node) {
    auto server = parse(reader, node);
    if (server) server->text = node.text;
    return server;
  };
  return {std::move(url.name), std::move(read)};
}

struct BackendDraft {
  BackendSettings settings;
  std::optional<ClientTls> tls;
};

const std::vector<Key<BackendDraft>>& backend_keys() {
  static const std::vector<Key<BackendDraft>> keys = {
      mandatory(
          key("servers", list_of(server(), 1, servers_max), &BackendDraft::settings,
              &BackendSettings::servers)
              .says("tried in turn, one after the other; one that failed is skipped for 5 s")),
      not_built<BackendDraft>("balance", "round_robin",
                              {"least_connections", "hash_subject", "hash_ip"})
          .says("another value is an error"),
      key("connect_timeout", duration(10ms, 10min), &BackendDraft::settings,
          &BackendSettings::connect_timeout, "3s")
          .says("connect, TLS and 101 of one server; then the next"),
      key("tls", client_tls(), &BackendDraft::tls).says("of its `wss://` servers, see \"TLS\""),
  };
  return keys;
}

// Only where a server has TLS: the system's own authorities are many.
void add_tls(PolicyReader& reader, const YamlEntry& entry, BackendDraft& draft) {
  auto& settings = draft.settings;
  const bool needed = std::ranges::any_of(settings.servers, &BackendServer::tls);
  if (!needed) {
    if (draft.tls) {
      reader.fault(mark_at(entry.value, "tls"), "'tls' without a server whose URL is wss://");
    }
    return;
  }
  const auto tls = draft.tls.value_or(ClientTls{});
  auto context = proxy::TlsClientContext::make(tls.authorities);
  if (!context) {
    reader.fault(mark_at(entry.value, "tls"), fmt::format("tls: {}", context.error()));
    return;
  }
  settings.tls = *std::move(context);
  settings.server_name = tls.server_name;
}

}  // namespace

std::vector<KeyShape> backend_shapes() { return shapes_of(backend_keys()); }

Backends read_backends(PolicyReader& reader, const YamlNode& node) {
  Backends backends;
  read_named(reader, node, [&](const YamlEntry& entry, std::size_t faults_before) {
    std::shared_ptr<const BackendSettings>& backend = backends[entry.key];
    BackendDraft draft;
    draft.settings.name = entry.key;
    read_keys(reader, entry.value, backend_keys(), draft);
    if (reader.fault_count() == faults_before) add_tls(reader, entry, draft);
    if (reader.fault_count() == faults_before) {
      backend = std::make_shared<const BackendSettings>(std::move(draft.settings));
    }
  });
  return backends;
}

}  // namespace gateway
