#include "gateway/served_policy.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "gateway/refusal.h"

namespace gateway {

namespace {

// CONTRACT section 4: fragments that carry next to nothing cost more than they are worth.
constexpr std::uint64_t frames_per_message_base = 1'024;
constexpr std::uint64_t octets_per_frame_min = 64;

// CONTRACT section 2, `max_message`: what a backend may send where its messages are read.
constexpr std::uint64_t backend_message_octets_max = 1024 * 1024;

proxy::RelaySettings relay_settings(const Route& route, Ledger& ledger, RouteCounters& counters) {
  proxy::ConnectionSettings shared;
  shared.unsent_octets_high = route.send_queue_octets_max / 4;
  shared.unsent_octets_low = shared.unsent_octets_high / 2;
  shared.unsent_octets_max = route.send_queue_octets_max;
  shared.queue_budget = &ledger;
  shared.ping_interval = route.heartbeat.interval;
  shared.pong_timeout = route.heartbeat.timeout;
  shared.stall_timeout = route.stall_timeout;
  proxy::RelaySettings settings{shared, shared};
  settings.client.reader.message_octets_max = route.message_octets_max;
  settings.client.reader.frames_per_message_max =
      frames_per_message_base + route.message_octets_max / octets_per_frame_min;
  settings.client.no_pong_code = close_too_slow;
  settings.client.traffic = &counters.from_client;
  settings.backend.traffic = &counters.from_backend;
  settings.backend.control_frames_per_second_max = 0;
  if (route.rooms) {
    settings.client.whole_messages = settings.backend.whole_messages = true;
    settings.backend.reader.message_octets_max = backend_message_octets_max;
  }
  return settings;
}

std::vector<proxy::Server> servers_of(const BackendSettings& backend) {
  std::vector<proxy::Server> servers;
  for (const auto& server : backend.servers) {
    servers.push_back({server.host, server.port, server.base, server.tls ? backend.tls : nullptr,
                       backend.server_name.empty() ? server.host : backend.server_name});
  }
  return servers;
}

// Of the routes before, by their ids. Of routes that are the same one, of which the later are never
// reached, each has its own.
class CountersBefore {
 public:
  explicit CountersBefore(const ServedPolicy* before) {
    if (!before) return;
    for (const auto& route : before->policy->routes) {
      counters_.emplace(route.id, before->of(route).counters);
    }
  }

  std::shared_ptr<RouteCounters> take(const Route& route) {
    auto found = counters_.extract(route.id);
    return found ? std::move(found.mapped()) : std::make_shared<RouteCounters>();
  }

 private:
  std::map<std::uint64_t, std::shared_ptr<RouteCounters>> counters_;
};

// Of a backend of the same name and servers; null: there was none.
std::shared_ptr<proxy::Servers> servers_before(const ServedPolicy* before, std::string_view name,
                                               const std::vector<proxy::Server>& servers) {
  if (!before) return nullptr;
  const auto& backends = before->policy->backends;
  const auto backend = backends.find(std::string(name));
  if (backend == backends.end()) return nullptr;
  const auto& known = before->servers.find(backend->second.get())->second;
  return known->are(servers) ? known : nullptr;
}

}  // namespace

std::shared_ptr<const ServedPolicy> serve_policy(std::shared_ptr<const Policy> policy,
                                                 unsigned worker, Ledger& ledger,
                                                 const ServedPolicy* before) {
  auto served = std::make_shared<ServedPolicy>();
  CountersBefore counters_before(before);
  for (const auto& route : policy->routes) {
    auto counters = counters_before.take(route);
    auto settings = relay_settings(route, ledger, *counters);
    served->routes.push_back({std::move(settings), std::move(counters)});
  }
  for (const auto& [name, backend] : policy->backends) {
    auto servers = servers_of(*backend);
    auto known = servers_before(before, name, servers);
    if (!known) known = std::make_shared<proxy::Servers>(std::move(servers), worker);
    served->servers.emplace(backend.get(), std::move(known));
  }
  served->policy = std::move(policy);
  return served;
}

}  // namespace gateway
