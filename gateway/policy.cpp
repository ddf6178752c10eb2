#include "gateway/policy.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "gateway/keyed_hash.h"
#include "proxy/host.h"

namespace gateway {

const Authenticator* find_authenticator(const Route& route, std::string_view name) {
  const auto found = std::ranges::find(
      route.authenticate, name, [](const auto& each) { return std::string_view(each->name); });
  return found == route.authenticate.end() ? nullptr : found->get();
}

std::vector<std::shared_ptr<const Authenticator>> authenticators_of(const Policy& policy) {
  std::vector<std::shared_ptr<const Authenticator>> used;
  for (const auto& [name, authenticator] : policy.authenticators) {
    const bool by_any = std::ranges::any_of(policy.routes, [&](const Route& route) {
      return std::ranges::find(route.authenticate, authenticator) != route.authenticate.end();
    });
    if (by_any) used.push_back(authenticator);
  }
  return used;
}

const ListenSettings* find_listener(const Policy& policy, const proxy::ListenAddress& address) {
  const auto found = std::ranges::find(policy.listen, address, &ListenSettings::address);
  return found == policy.listen.end() ? nullptr : &*found;
}

std::optional<std::string> normalize_host(std::string_view field) {
  if (!proxy::well_formed_host(field)) {
    return std::nullopt;
  }
  if (field.starts_with('[')) {
    auto address = proxy::IpAddress::parse(field.substr(1, field.find(']') - 1));
    return address ? std::optional(address->to_string()) : std::nullopt;
  }
  std::string host(field.substr(0, field.find(':')));
  if (host.ends_with('.')) {  // fully qualified: the same name
    host.pop_back();
  }
  std::transform(host.begin(), host.end(), host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return host;
}

std::string route_key(const std::vector<std::string>& hosts, std::string_view path) {
  return fmt::format("{:016x}", route_id(hosts, path));
}

std::uint64_t route_id(std::vector<std::string> hosts, std::string_view path) {
  std::ranges::sort(hosts);
  std::string text(path);
  for (const auto& host : hosts) (text += '\n') += host;  // which is in neither of them
  // No secret: operators choose the names, and every instance must come to the same.
  return keyed_hash(HashKey{}, text);
}

RouteMatch find_route(const Policy& policy, std::string_view host, std::string_view path) {
  RouteMatch match;
  if (path.starts_with(own_path_prefix)) {
    return match;
  }
  const std::optional<std::string> name = normalize_host(host);
  for (const Route& route : policy.routes) {
    bool for_host =
        route.hosts.empty() ||
        (name && std::find(route.hosts.begin(), route.hosts.end(), *name) != route.hosts.end());
    if (for_host && route.path.matches(path, match.captures)) {
      match.route = &route;
      break;
    }
  }
  return match;
}

}  // namespace gateway
