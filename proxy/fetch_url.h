// Where something is fetched from: the URLs that a policy may name, or a server that it names. A
// narrow kind of URL, so that who checks one and who asks for it cannot read it differently.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace proxy {

inline constexpr std::size_t fetch_url_octets_max = 2048;

struct FetchUrl {
  bool secure = true;  // https
  std::string host;    // a name or an address, in lower case, without brackets
  std::uint16_t port = 443;
  std::string text;  // the whole, as it came

  // Without path and query, which may say more than a log should.
  std::string origin() const;

  // RFC 6454 section 5: scheme, host and port.
  bool same_origin(const FetchUrl& other) const;

  // Is the host an address of this machine for itself, or `localhost` (RFC 6761 section 6.3)?
  bool loopback() const;
};

// `https://host[:port][/path][?query]`; `http://` only where the host is loopback(): on a network,
// who answers a plain request decides which keys are good. No user, no fragment. The error is a
// sentence that shows no part of the URL.
std::expected<FetchUrl, std::string> parse_fetch_url(std::string_view text);

}  // namespace proxy
