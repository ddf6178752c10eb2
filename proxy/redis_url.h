// Where a Redis is, and what it asks of who comes in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace proxy {

struct RedisServer {
  std::string host;  // a name or an address, without brackets; empty: unix_path
  std::uint16_t port = 6379;
  std::string unix_path;
  std::string user;      // empty: the default user
  std::string password;  // empty: none is asked for
  std::uint32_t database = 0;

  bool operator==(const RedisServer&) const = default;
};

inline constexpr std::size_t redis_url_octets_max = 2048;

// `redis://[[user]:password@]host[:port][/database]` or `unix://[[user]:password@]/path[?db=n]`;
// user and password percent-encoded (RFC 3986 section 2.1). `rediss://` is an error that says so:
// nothing here speaks TLS to a Redis. No error shows a part of the URL, which may hold a password.
std::expected<RedisServer, std::string> parse_redis_url(std::string_view url);

// The same as a URL again, "***" for its password.
std::string show_redis_url(const RedisServer& server);

}  // namespace proxy
