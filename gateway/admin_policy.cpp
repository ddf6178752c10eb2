#include "gateway/admin_policy.h"

#include <chrono>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "gateway/json_text.h"
#include "gateway/utf8_text.h"

namespace gateway {
namespace {

using std::chrono::floor;
using std::chrono::seconds;

// A source that could not be read would have kept the policy from being loaded, so there is no
// error that an admin could be shown yet.
void append_key_set(std::string& json, const Authenticator& authenticator, const KeySource& source,
                    seconds age) {
  json += R"({"authenticator":)";
  append_json_string(json, authenticator.name);
  json += R"(,"source":)";
  append_json_string(json, source.kind);
  json += R"(,"file":)";
  source.file.empty() ? void(json += "null") : append_json_string(json, source.file);
  json += fmt::format(R"(,"keys":{},"age":{},"last_error":null}})", source.keys, age.count());
}

std::string policy_json(const Policy& policy, proxy::WallTime now) {
  std::string json = R"({"file":)";
  append_json_string(json, printable(policy.file));
  json += fmt::format(R"(,"loaded_at":{},"policy":{},"key_sets":[)",
                      floor<seconds>(policy.loaded_at).time_since_epoch().count(), policy.shown);
  const auto age = floor<seconds>(now - policy.loaded_at);
  for (bool first = true; const auto& [name, authenticator] : policy.authenticators) {
    for (const auto& source : authenticator->key_sources) {
      if (!std::exchange(first, false)) json += ',';
      append_key_set(json, *authenticator, source, age);
    }
  }
  return json += "]}";
}

}  // namespace

void add_policy_row(AdminApi& api, std::shared_ptr<const Policy> policy,
                    const proxy::Timers& timers) {
  api.add(
      {"GET", "/v1/policy", answer_with("application/json", [policy = std::move(policy), &timers] {
         return policy_json(*policy, timers.now().wall);
       })});
}

}  // namespace gateway
