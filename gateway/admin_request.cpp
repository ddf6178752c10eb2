#include "gateway/admin_request.h"

#include <charconv>
#include <utility>

#include <openssl/crypto.h>

#include "gateway/admin_health.h"
#include "gateway/json_body.h"
#include "gateway/policy.h"
#include "proxy/address.h"

namespace gateway {
namespace {

using proxy::equals_ignoring_case;
using proxy::RequestHead;

// RFC 3986 section 2.1. `plus`: '+' is a space.
std::optional<std::string> percent_decode(std::string_view text, bool plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += plus && text[at] == '+' ? ' ' : text[at];
      continue;
    }
    const auto digits = text.substr(at + 1, 2);
    unsigned char octet = 0;
    const auto end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, octet, 16);
    if (digits.size() < 2 || read.ec != std::errc() || read.ptr != end) return std::nullopt;
    decoded += static_cast<char>(octet);
    at += 2;
  }
  return decoded;
}

bool read_query(std::string_view text, AdminQuery& query) {
  while (!text.empty()) {
    const auto parameter = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(parameter.size() + 1, text.size()));
    if (parameter.empty()) continue;
    const auto name = parameter.substr(0, parameter.find('='));
    const auto value = parameter.substr(std::min(name.size() + 1, parameter.size()));
    auto decoded_name = percent_decode(name, true);
    auto decoded_value = percent_decode(value, true);
    if (!decoded_name || !decoded_value) return false;
    if (!query.add(std::move(*decoded_name), std::move(*decoded_value))) return false;
  }
  return true;
}

// The listener's own is the one that a page it had served would be of. It is looked at beside the
// Host, since it may be reached by several addresses.
bool foreign_origin(const RequestHead& request) {
  if (request.fields.count("Origin") == 0) return false;
  const auto* host = request.fields.find("Host");
  return !host || request.fields.count("Origin") > 1 ||
         !equals_ignoring_case(*request.fields.find("Origin"), "http://" + std::string(*host));
}

// A name that leads here may be anybody's (DNS rebinding); an address is nobody's. No browser
// leaves the Host out, and whoever does learns how the instance is, no more.
bool own_host(const RequestHead& request) {
  const auto* field = request.fields.find("Host");
  if (!field) return health_target(request.target);
  const auto host = normalize_host(*field);
  return host && (*host == "localhost" || proxy::IpAddress::parse(*host));
}

bool carries_token(const RequestHead& request, const std::string& token) {
  constexpr std::string_view scheme = "Bearer ";
  if (request.fields.count("Authorization") != 1) return false;
  std::string_view value = *request.fields.find("Authorization");
  if (!equals_ignoring_case(value.substr(0, scheme.size()), scheme)) return false;
  value.remove_prefix(scheme.size());
  return value.size() == token.size() &&
         CRYPTO_memcmp(value.data(), token.data(), token.size()) == 0;
}

AdminAnswer with_field(AdminAnswer answer, std::string_view name, std::string value) {
  answer.fields.emplace_back(name, std::move(value));
  return answer;
}

// How long the body is.
std::expected<std::size_t, AdminAnswer> check_body(const RequestHead& request) {
  if (!request.has_body) return 0;
  const auto octets = json_body_octets(request, admin_body_octets_max);
  if (octets) return *octets;
  switch (octets.error()) {
    case 415:
      return std::unexpected(admin_error(415, "expected Content-Type: application/json"));
    case 411:
      return std::unexpected(admin_error(411, "expected a Content-Length"));
    default:
      return std::unexpected(admin_error(octets.error(), "a body has at most 1 MiB"));
  }
}

std::optional<AdminAnswer> check_sender(const RequestHead& request, const std::string& token) {
  if (foreign_origin(request)) return admin_error(403, "not from a page of another origin");
  if (token.empty() && !own_host(request)) {
    return admin_error(403, "without a token, Host must be an IP address or localhost");
  }
  return std::nullopt;
}

}  // namespace

std::optional<AdminTarget> parse_admin_target(std::string_view target) {
  if (!target.starts_with('/') || target.contains('#')) return std::nullopt;
  AdminTarget parsed;
  auto path = target.substr(0, target.find('?'));
  if (!read_query(target.substr(std::min(path.size() + 1, target.size())), parsed.query)) {
    return std::nullopt;
  }
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto segment = path.substr(0, path.find('/'));
    auto decoded = percent_decode(segment, false);
    if (!decoded) return std::nullopt;
    parsed.path.push_back(std::move(*decoded));
    path.remove_prefix(segment.size());
  }
  return parsed;
}

std::expected<AdmittedCall, AdminAnswer> admit_call(const RequestHead& request,
                                                    const std::string& token, const AdminApi& api) {
  if (auto refused = check_sender(request, token)) return std::unexpected(std::move(*refused));
  auto target = parse_admin_target(request.target);
  if (!target) return std::unexpected(admin_error(400, "the request target is malformed"));
  auto match = api.find(request.method, target->path);
  if (match.needs_token && !token.empty() && !carries_token(request, token)) {
    return std::unexpected(with_field(admin_error(401, "this needs the admin token"),
                                      "WWW-Authenticate", "Bearer realm=\"admin\""));
  }
  if (match.allow.empty()) return std::unexpected(admin_error(404, "there is nothing here"));
  if (!match.row) {
    return std::unexpected(
        with_field(admin_error(405, "not with this method"), "Allow", std::move(match.allow)));
  }
  const auto octets = check_body(request);
  if (!octets) return std::unexpected(octets.error());
  return AdmittedCall{
      match.row, {std::move(match.captured), std::move(target->query), {}, {}}, *octets};
}

}  // namespace gateway
