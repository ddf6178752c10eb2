#include "gateway/policy_backends.h"

#include <utility>

#include "gateway/policy_values.h"

namespace gateway {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t servers_max = 64;

// Whoever reads logs and metrics is not told what a variable holds, which may be a secret.
Type<BackendServer> server() {
  auto url = parsed<BackendServer>("a ws:// URL", parse_server);
  auto read = [parse = std::move(url.read)](PolicyReader& reader, const YamlNode& node) {
    auto server = parse(reader, node);
    if (server) server->text = node.text;
    return server;
  };
  return {std::move(url.name), std::move(read)};
}

const std::vector<Key<BackendSettings>>& backend_keys() {
  static const std::vector<Key<BackendSettings>> keys = {
      mandatory(key("servers", list_of(server(), 1, servers_max), &BackendSettings::servers)),
      not_built<BackendSettings>("balance", "round_robin",
                                 {"least_connections", "hash_subject", "hash_ip"}),
      key("connect_timeout", duration(10ms, 10min), &BackendSettings::connect_timeout, "3s"),
      not_built<BackendSettings>("tls"),
  };
  return keys;
}

}  // namespace

Backends read_backends(PolicyReader& reader, const YamlNode& node) {
  Backends backends;
  read_named(reader, node, [&](const YamlEntry& entry, std::size_t faults_before) {
    std::shared_ptr<const BackendSettings>& backend = backends[entry.key];
    BackendSettings settings;
    settings.name = entry.key;
    read_keys(reader, entry.value, backend_keys(), settings);
    if (reader.fault_count() == faults_before) {
      backend = std::make_shared<const BackendSettings>(std::move(settings));
    }
  });
  return backends;
}

}  // namespace gateway
