#include "auth/origin.h"

#include <algorithm>
#include <optional>

#include "auth/ascii.h"

namespace auth {
namespace {

struct Parts {
  std::string scheme;  // lower case
  std::string host;    // lower case
  std::string port;    // empty: the scheme's own
};

// RFC 3986 section 3.1.
bool valid_scheme(std::string_view scheme) {
  return !scheme.empty() && is_letter(scheme.front()) && std::ranges::all_of(scheme, [](char c) {
    return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  });
}

// A registered name or an IPv4 address as browsers serialize it (other scripts as "xn--"), or an
// IPv6 address in brackets.
bool valid_host(std::string_view host) {
  if (host.starts_with('[')) {
    return host.size() > 2 && host.ends_with(']') &&
           host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") ==
               std::string_view::npos;
  }
  return !host.empty() && std::ranges::all_of(host, [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

// As browsers serialize it: no leading zero, 65535 at most.
bool valid_port(std::string_view port) {
  constexpr std::string_view port_max = "65535";
  return !port.empty() && port.front() != '0' && std::ranges::all_of(port, is_digit) &&
         (port.size() < port_max.size() || (port.size() == port_max.size() && port <= port_max));
}

std::string_view default_port(std::string_view scheme) {
  if (scheme == "https" || scheme == "wss") return "443";
  return scheme == "http" || scheme == "ws" ? "80" : "";
}

// RFC 6454 section 6.2: scheme "://" host [ ":" port ], and not an octet more.
std::optional<Parts> split(std::string_view origin) {
  const std::size_t scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  Parts parts{.scheme = lower_case(origin.substr(0, scheme_end)), .host = {}, .port = {}};
  const std::string_view authority = origin.substr(scheme_end + 3);
  const std::size_t address_end = authority.starts_with('[') ? authority.find(']') : 0;
  const std::size_t colon = authority.find(':', address_end);
  parts.host = lower_case(authority.substr(0, colon));
  if (colon != std::string_view::npos) {
    parts.port = authority.substr(colon + 1);
    if (!valid_port(parts.port)) return std::nullopt;
    if (parts.port == default_port(parts.scheme)) parts.port.clear();
  }
  if (!valid_scheme(parts.scheme)) return std::nullopt;
  return parts;
}

}  // namespace

std::expected<OriginPattern, std::string> OriginPattern::parse(std::string_view text) {
  OriginPattern pattern;
  if (text == "*") {
    pattern.any_ = true;
    return pattern;
  }
  if (equals_ignoring_case(text, "null")) {
    return std::unexpected(
        "'null' is the origin of every sandboxed or local page: it is never allowed");
  }
  auto parts = split(text);
  if (!parts) {
    return std::unexpected(
        "an origin is a scheme, '://', a host and perhaps ':' and a port, as "
        "https://app.example.com");
  }
  constexpr std::string_view wildcard = "*.";
  if (parts->host.starts_with(wildcard)) {
    pattern.one_label_ = true;
    parts->host.erase(0, wildcard.size());
  }
  if (parts->host.contains('*')) {
    return std::unexpected(
        "'*' stands for one whole label at the front of the host, as https://*.example.com, or "
        "alone for any origin");
  }
  if (!valid_host(parts->host) || (pattern.one_label_ && parts->host.starts_with('['))) {
    return std::unexpected(
        "this is no host as a browser writes it in an origin: without path, user or trailing '/', "
        "and in ASCII (xn--)");
  }
  pattern.scheme_ = std::move(parts->scheme);
  pattern.host_ = std::move(parts->host);
  pattern.port_ = std::move(parts->port);
  return pattern;
}

bool OriginPattern::matches(std::string_view origin) const {
  const auto parts = split(origin);
  if (!parts || !valid_host(parts->host)) return false;
  if (any_) return true;
  if (parts->scheme != scheme_ || parts->port != port_) return false;
  if (!one_label_) return parts->host == host_;
  // The label ends at the first '.', so that "*" never stands for two of them, and is not empty.
  const std::size_t dot = parts->host.find('.');
  return dot != std::string::npos && dot > 0 &&
         parts->host.compare(dot + 1, std::string::npos, host_) == 0;
}

bool origin_allowed(const std::vector<OriginPattern>& patterns, std::string_view origin) {
  return std::ranges::any_of(patterns,
                             [&](const OriginPattern& pattern) { return pattern.matches(origin); });
}

}  // namespace auth
