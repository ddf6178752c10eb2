#include "proxy/redis_url.h"

#include <charconv>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <sys/un.h>

#include "proxy/address.h"
#include "proxy/host.h"

namespace proxy {
namespace {

using namespace std::literals;

constexpr std::size_t unix_path_octets_max = sizeof(sockaddr_un::sun_path) - 1;

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// RFC 3986 section 2.1. None: a '%' without two hexadecimal digits, or NUL.
std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    if (text.front() != '%') {
      decoded += text.front();
      text.remove_prefix(1);
      continue;
    }
    std::uint8_t octet = 0;
    if (text.size() < 3) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + 3, octet, 16);
    if (error != std::errc() || end != text.data() + 3 || octet == 0) return std::nullopt;
    decoded += static_cast<char>(octet);
    text.remove_prefix(3);
  }
  return decoded;
}

bool read_user(std::string_view text, RedisServer& server) {
  const auto colon = text.find(':');
  if (colon == text.npos) return false;
  auto user = percent_decode(text.substr(0, colon));
  auto password = percent_decode(text.substr(colon + 1));
  if (!user || !password || password->empty()) return false;
  server.user = std::move(*user);
  server.password = std::move(*password);
  return true;
}

bool read_database(std::string_view text, RedisServer& server) {
  const auto database = parse_number<std::uint32_t>(text);
  if (!database || *database > std::numeric_limits<std::int32_t>::max()) return false;
  server.database = *database;
  return true;
}

bool read_host(std::string_view text, RedisServer& server) {
  if (!well_formed_host(text)) return false;
  const auto bracket = text.find(']');
  const auto colon = text.find(':', bracket == text.npos ? 0 : bracket);
  if (colon != text.npos) {
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
    if (!port || *port == 0) return false;
    server.port = *port;
    text = text.substr(0, colon);
  }
  if (text.starts_with('[')) text = text.substr(1, text.size() - 2);
  server.host = text;
  return !text.empty();
}

std::expected<RedisServer, std::string> parse_network(std::string_view rest, RedisServer server) {
  const auto slash = rest.find('/');
  if (slash != rest.npos) {
    const auto database = rest.substr(slash + 1);
    if (!database.empty() && !read_database(database, server)) {
      return std::unexpected("after the '/' of a Redis URL comes the number of a database");
    }
    rest = rest.substr(0, slash);
  }
  if (!read_host(rest, server)) {
    return std::unexpected("expected a host, and a port or none: redis://127.0.0.1:6379/0");
  }
  return server;
}

std::expected<RedisServer, std::string> parse_unix(std::string_view rest, RedisServer server) {
  const auto query = rest.find('?');
  if (query != rest.npos) {
    const auto parameter = rest.substr(query + 1);
    if (!parameter.starts_with("db=") || !read_database(parameter.substr(3), server)) {
      return std::unexpected("after the '?' of a unix:// URL comes db= and the number of one");
    }
    rest = rest.substr(0, query);
  }
  if (!rest.starts_with('/') || rest.size() > unix_path_octets_max || rest.contains('\0')) {
    return std::unexpected("expected an absolute path of at most 107 octets: unix:///run/redis");
  }
  server.unix_path = rest;
  return server;
}

}  // namespace

std::expected<RedisServer, std::string> parse_redis_url(std::string_view url) {
  if (url.size() > redis_url_octets_max) return std::unexpected("a Redis URL is not so long");
  const bool local = url.starts_with("unix://");
  if (url.starts_with("rediss://")) {
    return std::unexpected(
        "this build has no TLS to Redis: redis:// on a network that you trust, or unix://");
  }
  if (!local && !url.starts_with("redis://")) {
    return std::unexpected("expected redis://host:port/database or unix:///path");
  }
  auto rest = url.substr(url.find("//") + 2);
  RedisServer server;
  // In a path an '@' is an octet like any other, so who comes in stands before the first '/'.
  const auto at = rest.substr(0, rest.find('/')).rfind('@');
  if (at != rest.npos) {
    if (!read_user(rest.substr(0, at), server)) {
      return std::unexpected(
          "before the '@' of a Redis URL: user:password or :password, percent-encoded");
    }
    rest = rest.substr(at + 1);
  }
  return local ? parse_unix(rest, std::move(server)) : parse_network(rest, std::move(server));
}

std::string show_redis_url(const RedisServer& server) {
  const auto login = server.password.empty() ? "" : server.user + ":***@";
  if (!server.unix_path.empty()) {
    return fmt::format("unix://{}{}?db={}", login, server.unix_path, server.database);
  }
  const bool v6 = server.host.contains(':');
  return fmt::format("redis://{}{}{}{}:{}/{}", login, v6 ? "[" : "", server.host, v6 ? "]" : "",
                     server.port, server.database);
}

}  // namespace proxy
