#include "gateway/identity_fields.h"

#include <algorithm>
#include <array>
#include <utility>

#include "auth/base64url.h"
#include "proxy/handshake.h"

namespace gateway {

namespace {

constexpr std::array<std::string_view, 6> ours{
    subject_field,     claims_field,        "X-Gatehouse-Connection",
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
};

bool is_ours(std::string_view name) {
  return std::ranges::any_of(ours, [&](auto our) { return proxy::aliases(name, our); });
}

// RFC 3986 unreserved and "@ : |" stay; a subject may be anything else, a line break included.
std::string percent_encoded(std::string_view subject) {
  constexpr std::string_view plain = "-._~@:|";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(subject.size());
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

std::string_view scheme_of(const proxy::Fields& fields, const Client& client) {
  const auto* said = client.peer_trusted ? fields.find("X-Forwarded-Proto") : nullptr;
  const bool secure = said ? proxy::equals_ignoring_case(*said, "https") : client.secure;
  return secure ? "https" : "http";
}

// The client's fields and query, without credentials where they must not go on. Views into `head`,
// and what the result itself keeps.
auth::StrippedHandshake forwarded_of(const proxy::RequestHead& head, const proxy::Target& target,
                                     const Route& route) {
  std::vector<auth::Field> views;
  views.reserve(head.fields.size());
  for (const auto& field : proxy::without_hop_by_hop(head.fields)) {
    views.push_back({field.name, field.value});
  }
  if (route.forward_credentials) return {std::move(views), std::string(target.raw_query), {}};
  return auth::strip_credentials({views, target.raw_query}, route.places);
}

// What may be offered: the client's, and only those of the route where it has a list.
std::vector<std::string> offered_subprotocols(const std::vector<auth::Field>& fields,
                                              const Route& route) {
  std::vector<std::string> offered;
  auto parsed = auth::parse_subprotocols(fields);
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

IdentityValues identity_values(const Route& route, const auth::Principal& principal) {
  IdentityValues values{percent_encoded(principal.subject), {}};
  auto claims =
      auth::base64url_encode(route.forward_claims ? principal.claims.to_json(*route.forward_claims)
                                                  : principal.claims.to_json());
  if (claims.size() <= claims_field_octets_max) {
    values.claims = std::move(claims);
  } else {
    values.claims_octets_left_out = claims.size();
  }
  return values;
}

BackendRequest make_backend_request(const proxy::RequestHead& head, const proxy::Target& target,
                                    const Route& route, const auth::Principal& principal,
                                    const Client& client,
                                    std::optional<std::string_view> selected) {
  constexpr std::size_t own_octets = 256;  // of our fields, but for what varies in length
  const auto forwarded = forwarded_of(head, target, route);
  BackendRequest request;
  auto& upgrade = request.upgrade;
  upgrade.target = target.raw_path;
  bool had_empty_query = target.has_query && target.raw_query.empty();
  if (!forwarded.query.empty() || had_empty_query) {
    upgrade.target.append("?").append(forwarded.query);
  }
  if (!selected) {
    upgrade.subprotocols = offered_subprotocols(forwarded.fields, route);
  } else if (!selected->empty()) {
    upgrade.subprotocols.emplace_back(*selected);
  }

  const auto identity = identity_values(route, principal);
  request.claims_octets_left_out = identity.claims_octets_left_out;
  auto& lines = upgrade.fields;
  lines.reserve(identity.claims.size() + own_octets);
  // The client's Connection list was applied first, so it can remove none of ours.
  for (const auto& [name, value] : forwarded.fields) {
    if (is_ours(name) || proxy::equals_ignoring_case(name, "Sec-WebSocket-Protocol")) continue;
    lines.add(name, value);
  }
  if (!upgrade.subprotocols.empty()) {
    lines.add("Sec-WebSocket-Protocol", joined(upgrade.subprotocols));
  }
  lines.add(subject_field, identity.subject);
  if (request.claims_octets_left_out == 0) lines.add(claims_field, identity.claims);
  lines.add("X-Gatehouse-Connection", client.connection_id);
  lines.add("X-Forwarded-For", client.address.to_string());
  lines.add("X-Forwarded-Proto", scheme_of(head.fields, client));
  lines.add("X-Forwarded-Host", *head.fields.find("Host"));
  return request;
}

}  // namespace gateway
