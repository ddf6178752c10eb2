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

// A file that could not be read would have kept the policy from being loaded: it has no error.
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

void append_key_set(std::string& json, const KeySetStatus& set, proxy::MonotonicTime now) {
  json += R"({"authenticator":)";
  append_json_string(json, set.authenticator);
  json += fmt::format(R"(,"source":"{}","from":)", set.discovered ? "discover" : "jwks_url");
  append_json_string(json, set.origin);
  const auto age = set.fetched ? fmt::format("{}", floor<seconds>(now - *set.fetched).count())
                               : std::string("null");
  json += fmt::format(R"(,"keys":{},"left_out":{},"age":{},"last_error":)", set.keys, set.left_out,
                      age);
  set.last_error.empty() ? void(json += "null") : append_json_string(json, set.last_error);
  json += '}';
}

std::string policy_json(const Policy& policy, const std::vector<KeySetStatus>& fetched,
                        const proxy::Instant& instant) {
  std::string json = R"({"file":)";
  append_json_string(json, printable(policy.file));
  json += fmt::format(R"(,"loaded_at":{},"policy":{},"key_sets":[)",
                      floor<seconds>(policy.loaded_at).time_since_epoch().count(), policy.shown);
  const auto age = floor<seconds>(instant.wall - policy.loaded_at);
  bool first = true;
  for (const auto& [name, authenticator] : policy.authenticators) {
    for (const auto& source : authenticator->key_sources) {
      if (!std::exchange(first, false)) json += ',';
      append_key_set(json, *authenticator, source, age);
    }
  }
  for (const auto& set : fetched) {
    if (!std::exchange(first, false)) json += ',';
    append_key_set(json, set, instant.monotonic);
  }
  return json += "]}";
}

}  // namespace

void add_policy_row(AdminApi& api, std::function<std::shared_ptr<const Policy>()> policy,
                    const proxy::Timers& timers,
                    std::function<std::vector<KeySetStatus>()> fetched) {
  auto text = [policy = std::move(policy), &timers, fetched = std::move(fetched)] {
    return policy_json(*policy(), fetched(), timers.now());
  };
  api.add({"GET", "/v1/policy", answer_with("application/json", std::move(text))});
}

}  // namespace gateway
