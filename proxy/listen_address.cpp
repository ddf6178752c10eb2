#include "proxy/listen_address.h"

namespace proxy {

namespace {
constexpr std::string_view unix_scheme = "unix:";
}

std::optional<ListenAddress> ListenAddress::parse(std::string_view text) {
  if (text.starts_with(unix_scheme)) {
    const auto path = text.substr(unix_scheme.size());
    const bool good = path.starts_with('/') && !path.ends_with('/') &&
                      path.size() <= path_octets_max && !path.contains('\0');
    return good ? std::optional(ListenAddress{{}, std::string(path)}) : std::nullopt;
  }
  if (const auto socket = SocketAddress::parse(text)) return ListenAddress{*socket, {}};
  return std::nullopt;
}

std::string ListenAddress::to_string() const {
  return is_unix() ? std::string(unix_scheme) + path : socket.to_string();
}

}  // namespace proxy
