#include "gateway/policy_values.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "proxy/target.h"

namespace gateway {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit duration_units[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr Unit size_units[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <std::size_t count>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const Unit (&units)[count]) {
  auto digits = std::find_if_not(text.begin(), text.end(), is_digit) - text.begin();
  auto number = parse_number(text.substr(0, static_cast<std::size_t>(digits)));
  std::string_view name = text.substr(static_cast<std::size_t>(digits));
  auto unit = std::find_if(std::begin(units), std::end(units),
                           [name](const Unit& each) { return each.name == name; });
  if (!number || unit == std::end(units) ||
      *number > std::numeric_limits<std::int64_t>::max() / unit->factor) {
    return std::nullopt;
  }
  return *number * unit->factor;
}

template <std::size_t count>
std::string show_with_unit(std::uint64_t value, const Unit (&units)[count]) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return fmt::format("{}{}", value / unit.factor, unit.name);
    }
  }
  return "0";
}

// Splits "what/s" or "what/m".
std::optional<double> per_second(std::string_view text,
                                 std::optional<std::uint64_t> (*parse)(std::string_view)) {
  if (text.size() < 2 || text[text.size() - 2] != '/') {
    return std::nullopt;
  }
  char unit = text.back();
  auto count = parse(text.substr(0, text.size() - 2));
  if (!count || (unit != 's' && unit != 'm')) {
    return std::nullopt;
  }
  return static_cast<double>(*count) / (unit == 's' ? 1 : 60);
}

bool take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

// RFC 3986 section 3.2.2: what may stand for a host without percent-encoding.
bool is_host_name(std::string_view text) {
  auto fits = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
  };
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), fits);
}

std::expected<void, std::string> take_host(std::string_view& rest, BackendServer& server) {
  if (rest.starts_with('[')) {
    auto end = rest.find(']');
    std::string_view literal = rest.substr(1, end == rest.npos ? 0 : end - 1);
    auto address = proxy::IpAddress::parse(literal);
    if (!address || address->is_v4()) {
      return std::unexpected("between the brackets must be an IPv6 address");
    }
    server.host = literal;
    rest.remove_prefix(end + 1);
    return {};
  }
  std::string_view host = rest.substr(0, rest.find_first_of(":/"));
  if (!is_host_name(host)) {
    return std::unexpected("no host: expected ws://host:port or ws://host:port/base");
  }
  server.host = host;
  rest.remove_prefix(host.size());
  return {};
}

std::expected<void, std::string> take_port(std::string_view& rest, BackendServer& server) {
  if (!take(rest, ':')) {
    return {};
  }
  std::string_view digits = rest.substr(0, rest.find('/'));
  auto port = parse_number(digits);
  if (!port || *port == 0 || *port > 65'535) {
    return std::unexpected("the port must be a number from 1 to 65535");
  }
  server.port = static_cast<std::uint16_t>(*port);
  rest.remove_prefix(digits.size());
  return {};
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() ||
      (text.size() > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  return number;
}

std::optional<Milliseconds> parse_duration(std::string_view text) {
  auto milliseconds = parse_with_unit(text, duration_units);
  if (!milliseconds) {
    return std::nullopt;
  }
  return Milliseconds(static_cast<std::int64_t>(*milliseconds));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, size_units);
}

std::optional<double> parse_rate(std::string_view text) { return per_second(text, parse_number); }

std::optional<double> parse_octet_rate(std::string_view text) {
  return per_second(text, parse_size);
}

std::expected<BackendServer, std::string> parse_server(std::string_view url) {
  constexpr std::string_view plain = "ws://";
  constexpr std::string_view secure = "wss://";
  BackendServer server;
  server.tls = url.starts_with(secure);
  if (!server.tls && !url.starts_with(plain)) {
    return std::unexpected("expected a URL such as ws://127.0.0.1:9001 or wss://10.0.0.7:9443");
  }
  std::string_view rest = url.substr(server.tls ? secure.size() : plain.size());
  server.port = server.tls ? 443 : 80;  // RFC 6455 section 3
  server.text = url;
  if (auto host = take_host(rest, server); !host) {
    return std::unexpected(host.error());
  }
  if (auto port = take_port(rest, server); !port) {
    return std::unexpected(port.error());
  }
  if (rest.empty() || rest == "/") {
    return server;
  }
  // A base is put before the path of each request: it must not change how that is read.
  auto base = proxy::parse_target(rest);
  if (!base || base->has_query || rest.ends_with('/')) {
    return std::unexpected(
        "the base must be a path without query, dot segments or a '/' at its end");
  }
  server.base = rest;
  return server;
}

std::string show_duration(Milliseconds duration) {
  return duration.count() == 0
             ? "0s"
             : show_with_unit(static_cast<std::uint64_t>(duration.count()), duration_units);
}

std::string show_size(std::uint64_t octets) { return show_with_unit(octets, size_units); }

}  // namespace gateway
