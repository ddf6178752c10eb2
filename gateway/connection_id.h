// A connection's name, for the audit log, the backend and the admin API: random, in hexadecimal.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace gateway {

using ConnectionId = std::array<char, 16>;

// None: nothing could be called so.
inline std::optional<ConnectionId> parse_connection_id(std::string_view text) {
  ConnectionId id;
  if (text.size() != id.size()) return std::nullopt;
  if (text.find_first_not_of("0123456789abcdef") != text.npos) return std::nullopt;
  std::ranges::copy(text, id.begin());
  return id;
}

}  // namespace gateway
