#include "gateway/identity_fields.h"

#include <algorithm>
#include <array>
#include <utility>

#include "auth/base64url.h"
#include "proxy/handshake.h"

namespace gateway {

namespace {

constexpr std::array<std::string_view, 6> ours{
    "X-Gatehouse-Subject", "X-Gatehouse-Claims", "X-Gatehouse-Connection",
    "X-Forwarded-For",     "X-Forwarded-Proto",  "X-Forwarded-Host",
};

bool is_ours(std::string_view name) {
  return std::ranges::any_of(ours, [&](auto our) { return proxy::aliases(name, our); });
}

// RFC 3986 unreserved and "@ : |" stay; a subject may be anything else, a line break included.
std::string percent_encoded(std::string_view subject) {
  constexpr std::string_view plain = "-._~@:|";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (char c : subject) {
    auto octet = static_cast<unsigned char>(c);
    bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alphanumeric || plain.contains(c)) {
      encoded += c;
    } else {
      encoded += {'%', digits[octet >> 4], digits[octet & 0xF]};
    }
  }
  return encoded;
}

std::string_view scheme_of(const proxy::Fields& fields, bool peer_trusted) {
  const auto* said = peer_trusted ? fields.find("X-Forwarded-Proto") : nullptr;
  return said && proxy::equals_ignoring_case(*said, "https") ? "https" : "http";
}

struct Forwarded {
  std::vector<proxy::Field> fields;
  std::string query;
};

// The client's fields and query, without credentials where they must not go on.
Forwarded without_credentials(const proxy::RequestHead& head, const proxy::Target& target,
                              const Route& route) {
  auto fields = proxy::without_hop_by_hop(head.fields);
  Forwarded forwarded;
  if (route.forward_credentials) {
    forwarded.fields.assign(fields.begin(), fields.end());
    forwarded.query = target.raw_query;
    return forwarded;
  }
  std::vector<auth::Field> views;
  for (const auto& field : fields) views.push_back({field.name, field.value});
  auto stripped = auth::strip_credentials({views, target.raw_query}, route.places);
  for (auto& field : stripped.fields) {
    forwarded.fields.push_back({std::move(field.name), std::move(field.value)});
  }
  forwarded.query = std::move(stripped.query);
  return forwarded;
}

// What may be offered: the client's, and only those of the route where it has a list.
std::vector<std::string> offered_subprotocols(const std::vector<proxy::Field>& fields,
                                              const Route& route) {
  std::vector<auth::Field> views;
  for (const auto& field : fields) views.push_back({field.name, field.value});
  std::vector<std::string> offered;
  auto parsed = auth::parse_subprotocols(views);
  if (!parsed) return offered;
  for (auto subprotocol : *parsed) {
    bool listed = route.subprotocols.empty() ||
                  std::ranges::find(route.subprotocols, subprotocol) != route.subprotocols.end();
    if (listed) offered.emplace_back(subprotocol);
  }
  return offered;
}

std::string joined(const std::vector<std::string>& subprotocols) {
  std::string list;
  for (const auto& subprotocol : subprotocols) {
    if (!list.empty()) list += ", ";
    list += subprotocol;
  }
  return list;
}

}  // namespace

BackendRequest make_backend_request(const proxy::RequestHead& head, const proxy::Target& target,
                                    const Route& route, const auth::Principal& principal,
                                    const Client& client) {
  auto forwarded = without_credentials(head, target, route);
  BackendRequest request;
  auto& upgrade = request.upgrade;
  upgrade.target = target.raw_path;
  bool had_empty_query = target.has_query && target.raw_query.empty();
  if (!forwarded.query.empty() || had_empty_query) {
    upgrade.target.append("?").append(forwarded.query);
  }
  upgrade.subprotocols = offered_subprotocols(forwarded.fields, route);

  // The client's Connection list was applied first, so it can remove none of ours.
  std::erase_if(forwarded.fields, [](const proxy::Field& field) {
    return is_ours(field.name) || proxy::equals_ignoring_case(field.name, "Sec-WebSocket-Protocol");
  });
  upgrade.fields = std::move(forwarded.fields);
  auto add = [&](std::string_view name, std::string value) {
    upgrade.fields.push_back({std::string(name), std::move(value)});
  };
  if (!upgrade.subprotocols.empty()) add("Sec-WebSocket-Protocol", joined(upgrade.subprotocols));
  add("X-Gatehouse-Subject", percent_encoded(principal.subject));
  auto claims =
      auth::base64url_encode(route.forward_claims ? principal.claims.to_json(*route.forward_claims)
                                                  : principal.claims.to_json());
  if (claims.size() <= claims_field_octets_max) {
    add("X-Gatehouse-Claims", std::move(claims));
  } else {
    request.claims_octets_left_out = claims.size();
  }
  add("X-Gatehouse-Connection", std::string(client.connection_id));
  add("X-Forwarded-For", client.address.to_string());
  add("X-Forwarded-Proto", std::string(scheme_of(head.fields, client.peer_trusted)));
  add("X-Forwarded-Host", *head.fields.find("Host"));
  return request;
}

}  // namespace gateway
