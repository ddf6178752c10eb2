#include "gateway/policy_listen.h"

#include <utility>

#include <fmt/format.h>

#include "gateway/policy_tls.h"

namespace gateway {

namespace {

constexpr std::size_t listen_max = 64;

std::expected<proxy::ListenAddress, std::string> parse_address(std::string_view text) {
  auto address = proxy::ListenAddress::parse(text);
  if (!address || (!address->is_unix() && address->socket.port == 0)) {
    return std::unexpected(
        "expected an IP address and a port such as 127.0.0.1:8080 or [::1]:8080, or "
        "unix:/run/gatehouse.sock");
  }
  return *std::move(address);
}

struct Listener {
  std::optional<proxy::ListenAddress> address;
  const YamlNode* tls = nullptr;
  bool proxy_protocol = false;
};

const std::vector<Key<Listener>>& listener_keys() {
  static const std::vector<Key<Listener>> keys = {
      mandatory(key("address",
                    parsed<proxy::ListenAddress>("an address with a port", parse_address),
                    &Listener::address)
                    .says("an IP address such as `0.0.0.0:8080` or `[::]:8080`, or "
                          "`unix:/run/gatehouse.sock`")),
      key<Listener>("tls", "a mapping", "",
                    [](PolicyReader&, const YamlEntry& entry, Listener& listener) {
                      listener.tls = &entry.value;
                    })
          .if_left_out("no TLS")
          .says("see \"TLS\"")
          .of(server_tls_shapes()),
      key("proxy_protocol", flag(), &Listener::proxy_protocol, "false")
          .says("`true`: the PROXY protocol's header comes first, from `trusted_proxies` alone"),
  };
  return keys;
}

void read_listener(PolicyReader& reader, const YamlNode& node, Policy& policy) {
  Listener listener;
  if (!read_keys(reader, node, listener_keys(), listener)) return;
  ListenSettings settings;
  if (listener.tls) {
    const auto outer = reader.enter("tls");
    settings.tls = read_server_tls(reader, *listener.tls, policy.loaded_at);
    reader.enter(outer);
  }
  if (!listener.address) return;
  settings.address = *std::move(listener.address);
  settings.proxy_protocol = listener.proxy_protocol;
  if (find_listener(policy, settings.address)) {
    reader.fault(mark_at(node, "address"),
                 fmt::format("{} stands here twice", settings.address.to_string()));
  }
  policy.listen.push_back(std::move(settings));
}

}  // namespace

std::vector<KeyShape> listener_shapes() { return shapes_of(listener_keys()); }

void read_listeners(PolicyReader& reader, const YamlNode& node, Policy& policy) {
  if (node.kind != YamlNode::Kind::Sequence) {
    reader.unexpected(node, "a list, each a mapping");
  } else if (node.items.empty()) {
    reader.wrong(node.mark, "an empty list: it must have at least one");
  } else if (node.items.size() > listen_max) {
    reader.wrong(node.mark, fmt::format("a list of more than {}", listen_max));
  } else {
    for (const YamlNode& item : node.items) read_listener(reader, item, policy);
  }
}

}  // namespace gateway
