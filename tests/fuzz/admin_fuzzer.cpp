// Requests to the admin listener, whatever comes: none is let in that a page in a browser could
// have sent, or that lacks the token. The first octet says whether there is one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/admin_health.h"
#include "gateway/admin_request.h"
#include "gateway/policy.h"
#include "proxy/address.h"
#include "proxy/http.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

const gateway::AdminApi& api() {
  static const gateway::AdminApi rows = [] {
    gateway::AdminApi api;
    const auto nothing = [](const gateway::AdminCall&, const gateway::AdminReply&) {};
    gateway::add_health_rows(api, [] { return std::string_view(); });
    api.add({"GET", "/v1/rooms", nothing});
    api.add({"GET", "/v1/rooms/{room}", nothing});
    api.add({"POST", "/v1/rooms/{room}/messages", nothing});
    api.add({"DELETE", "/v1/connections/{id}", nothing});
    return api;
  }();
  return rows;
}

void require_own(const proxy::RequestHead& request, const std::string& token) {
  const auto* field = request.fields.find("Host");
  const auto* origin = request.fields.find("Origin");
  if (!field) return require(!origin && gateway::health_target(request.target));
  const std::string_view host = *field;
  require(!origin || proxy::equals_ignoring_case(*origin, "http://" + std::string(host)));
  if (!token.empty()) return;
  const auto name = gateway::normalize_host(host);
  require(name && (*name == "localhost" || proxy::IpAddress::parse(*name)));
}

void require_sound(const gateway::AdmittedCall& admitted, const proxy::RequestHead& request) {
  require(request.method == admitted.row->method ||
          (request.method == "HEAD" && admitted.row->method == "GET"));
  for (const auto& captured : admitted.call.captured) require(!captured.empty());
  require(admitted.body_octets <= gateway::admin_body_octets_max);
  if (admitted.body_octets == 0) return;
  const auto* type = request.fields.find("Content-Type");
  require(type && proxy::equals_ignoring_case(type->substr(0, 16), "application/json"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  if (size == 0) return 0;
  const std::string token = octets[0] % 2 ? "s3cret" : "";
  std::string_view head(reinterpret_cast<const char*>(octets) + 1, size - 1);
  proxy::HeadParser parser(proxy::HeadParser::Kind::Request, gateway::health_target);
  if (parser.receive(head) != proxy::HeadParser::State::Complete) return 0;
  const auto request = parser.take_request();
  const auto admitted = gateway::admit_call(request, token, api());
  if (!admitted) {
    const int status = admitted.error().status;
    require(status >= 400 && status < 500);
    require(admitted.error().content.starts_with(R"({"error":")"));
    return 0;
  }
  require_own(request, token);
  require_sound(*admitted, request);
  if (!token.empty() && admitted->row->needs_token) {
    const auto* given = request.fields.find("Authorization");
    require(given && given->ends_with(" s3cret") && given->size() == 13);
  }
  return 0;
}
