// The header of the PROXY protocol (haproxy.org, doc/proxy-protocol.txt, versions 1 and 2): whom a
// load balancer speaks for. No I/O; who may send one is for others to ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/address.h"

namespace proxy {

class ProxyHeaderParser {
 public:
  static constexpr std::size_t line_octets_max = 107;   // of version 1, with its CR LF
  static constexpr std::size_t body_octets_max = 4096;  // of version 2, with its TLVs

  enum class State : std::uint8_t { NeedsMore, Complete, Failed };

  // Takes the header's octets, and none behind it, off the front of `octets`. Not after Complete
  // or Failed.
  State receive(std::string_view& octets);

  // After Complete: the client. None: the load balancer speaks for itself (LOCAL, UNKNOWN), or for
  // one that has no IP address.
  const std::optional<IpAddress>& client() const { return client_; }

 private:
  State take(char octet);
  State read_line();
  State read_fixed_part();
  State read_body();

  std::string header_;                // so far; of version 2 without the TLVs
  std::size_t body_octets_ = 0;       // of version 2, once known
  std::size_t body_octets_kept_ = 0;  // those of the addresses
  std::size_t body_octets_read_ = 0;
  std::optional<IpAddress> client_;
};

}  // namespace proxy
