#include "gateway/policy_change.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace gateway {

namespace {

void warn_of(std::string_view name, const std::string& file, std::vector<PolicyError>& warnings) {
  warnings.push_back(
      {file, 0, 0, fmt::format("'{}' is another one; it takes effect at a restart", name)});
}

// The value that is running takes the place of the other.
template <typename T>
void keep(T& value, const T& running, std::string_view name, const std::string& file,
          std::vector<PolicyError>& warnings) {
  if (value == running) return;
  value = running;
  warn_of(name, file, warnings);
}

// Addresses stay; what is said of one that stays comes into force, such as its certificates.
void keep_addresses(Policy& policy, const Policy& running, std::vector<PolicyError>& warnings) {
  auto listen = running.listen;
  bool same = listen.size() == policy.listen.size();
  for (auto& each : listen) {
    if (const auto* found = find_listener(policy, each.address)) {
      each = *found;
    } else {
      same = false;
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
  keep_addresses(*policy, running, warnings);
  keep(policy->workers, running.workers, "workers", policy->file, warnings);
  keep(policy->admin, running.admin, "admin.address", policy->file, warnings);
  keep(policy->redis, running.redis, "redis", policy->file, warnings);
  if (auto faults = faults_of(*policy); !faults.empty()) return std::unexpected(std::move(faults));
  loaded.policy = std::move(policy);
  return loaded;
}

}  // namespace gateway
