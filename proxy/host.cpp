#include "proxy/host.h"

#include <algorithm>

#include "proxy/address.h"

namespace proxy {

namespace {

constexpr std::size_t port_digits_max = 5;
constexpr unsigned port_max = 65535;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// RFC 3986 section 2.3.
bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// RFC 3986 section 3.2.3: the port may be empty behind its colon.
bool well_formed_port(std::string_view port) {
  if (port.size() > port_digits_max || !std::all_of(port.begin(), port.end(), is_digit)) {
    return false;
  }
  unsigned value = 0;
  for (const char digit : port) value = value * 10 + static_cast<unsigned>(digit - '0');
  return value <= port_max;
}

bool well_formed_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && !name.contains("..") &&
         std::all_of(name.begin(), name.end(), is_unreserved);
}

// "[::1]" without a zone; IPvFuture names no address that exists.
bool well_formed_literal(std::string_view literal) {
  if (!literal.ends_with(']')) return false;
  const auto inner = literal.substr(1, literal.size() - 2);
  return inner.contains(':') && IpAddress::parse(inner).has_value();
}

}  // namespace

bool well_formed_host(std::string_view host) {
  if (host.starts_with('[')) {
    const auto bracket = host.find(']');
    if (bracket == host.npos) return false;
    const auto behind = host.substr(bracket + 1);
    return well_formed_literal(host.substr(0, bracket + 1)) &&
           (behind.empty() || (behind.front() == ':' && well_formed_port(behind.substr(1))));
  }
  const auto colon = host.find(':');
  return well_formed_name(host.substr(0, colon)) &&
         (colon == host.npos || well_formed_port(host.substr(colon + 1)));
}

}  // namespace proxy
