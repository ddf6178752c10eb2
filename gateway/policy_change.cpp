#include "gateway/policy_change.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace gateway {

namespace {

bool same(const std::optional<RedisSettings>& a, const std::optional<RedisSettings>& b) {
  if (!a || !b) return !a && !b;
  return a->server == b->server && a->prefix == b->prefix && a->timeout == b->timeout &&
         a->when_down == b->when_down;
}

void warn_of(std::string_view name, const std::string& file, std::vector<PolicyError>& warnings) {
  warnings.push_back(
      {file, 0, 0, fmt::format("'{}' is another one; it takes effect at a restart", name)});
}

// The value that is running takes the place of the other.
template <typename T, typename Same>
void keep(T& value, const T& running, Same is_same, std::string_view name, const std::string& file,
          std::vector<PolicyError>& warnings) {
  if (is_same(value, running)) return;
  value = running;
  warn_of(name, file, warnings);
}

// Addresses stay; what is said of one that stays comes into force, such as its certificates.
void keep_addresses(Policy& policy, const Policy& running, std::vector<PolicyError>& warnings) {
  auto listen = running.listen;
  bool same = listen.size() == policy.listen.size();
  for (auto& each : listen) {
    const auto found = std::ranges::find(policy.listen, each.address, &ListenSettings::address);
    if (found == policy.listen.end()) {
      same = false;
    } else {
      each = *found;
    }
  }
  policy.listen = std::move(listen);
  if (!same) warn_of("listen", policy.file, warnings);
}

std::vector<PolicyError> faults_of(const Policy& policy) {
  std::vector<PolicyError> faults;
  const auto shared = [](const Route& route) {
    return route.subject_limits.scope == Scope::Global;
  };
  if (!policy.redis && std::ranges::any_of(policy.routes, shared)) {
    faults.push_back(
        {policy.file, 0, 0, "'scope: global' needs 'redis', which takes effect at a restart only"});
  }
  for (const auto& [name, authenticator] : policy.authenticators) {
    if (!authenticator->session || !authenticator->session->redis.inherited) continue;
    if (policy.redis && authenticator->session->redis.server == policy.redis->server) continue;
    faults.push_back({policy.file, authenticator->line, 0,
                      fmt::format("the sessions of '{}' are in the 'redis' at the top, which takes "
                                  "effect at a restart only",
                                  name)});
  }
  // Its address may be another one than the file says now.
  if (policy.admin_token.empty() && !policy.admin.ip.loopback()) {
    faults.push_back(
        {policy.file, 0, 0,
         fmt::format("the admin listener stays on {} until a restart, which is not loopback: "
                     "'admin.token' is mandatory",
                     policy.admin.to_string())});
  }
  return faults;
}

}  // namespace

std::expected<LoadedPolicy, std::vector<PolicyError>> change_policy(const Policy& running,
                                                                    LoadedPolicy loaded) {
  auto policy = std::make_shared<Policy>(*loaded.policy);
  auto& warnings = loaded.warnings;
  constexpr std::equal_to<> equal{};
  keep_addresses(*policy, running, warnings);
  keep(policy->workers, running.workers, equal, "workers", policy->file, warnings);
  keep(policy->admin, running.admin, equal, "admin.address", policy->file, warnings);
  keep(policy->redis, running.redis, same, "redis", policy->file, warnings);
  if (auto faults = faults_of(*policy); !faults.empty()) return std::unexpected(std::move(faults));
  loaded.policy = std::move(policy);
  return loaded;
}

}  // namespace gateway
