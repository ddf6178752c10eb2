// What can be listened on: a socket address, or the path of a Unix socket (unix(7)).
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/address.h"

namespace proxy {

struct ListenAddress {
  static constexpr std::size_t path_octets_max = 107;  // sun_path, with its end

  SocketAddress socket;  // where there is no path
  std::string path;      // absolute; empty: none

  // "127.0.0.1:8080", "[::1]:8080", "unix:/run/gatehouse.sock".
  static std::optional<ListenAddress> parse(std::string_view text);
  std::string to_string() const;
  bool is_unix() const { return !path.empty(); }
  auto operator<=>(const ListenAddress&) const = default;
};

}  // namespace proxy
