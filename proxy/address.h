// Socket addresses and blocks of them, as values: no resolving, no I/O.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;
struct sockaddr_storage;

namespace proxy {

// An IPv4 or IPv6 address without a port. IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) are IPv4, so
// that a client is the same one on a dual-stack listener.
class IpAddress {
 public:
  IpAddress() = default;                                         // 0.0.0.0
  static std::optional<IpAddress> parse(std::string_view text);  // no brackets, no zone
  static IpAddress from_v4(const std::array<std::uint8_t, 4>& octets);
  static IpAddress from_v6(const std::array<std::uint8_t, 16>& octets);
  static std::optional<IpAddress> from(const sockaddr& address);

  bool is_v4() const { return v4_; }
  bool loopback() const;
  std::string to_string() const;

  // What limits count by: the address itself, or the /64 it is in where it is IPv6.
  IpAddress limit_key() const;

  const std::array<std::uint8_t, 16>& octets() const { return octets_; }  // v4: the first four
  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
  bool v4_ = true;
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  // "127.0.0.1:8080", "[::1]:8080". The port is mandatory; 0 lets the kernel choose.
  static std::optional<SocketAddress> parse(std::string_view text);
  static std::optional<SocketAddress> from(const sockaddr& address);
  std::string to_string() const;
  unsigned to(sockaddr_storage& out) const;  // the size of what was written
  auto operator<=>(const SocketAddress&) const = default;
};

// A CIDR block: "10.0.0.0/8", "::1/128"; a plain address is a block of one. Bits behind the prefix
// must be zero. A block is of one family: "::/0" contains no IPv4 address, but
// "::ffff:10.0.0.0/104" is 10.0.0.0/8.
class AddressBlock {
 public:
  static std::optional<AddressBlock> parse(std::string_view text);
  bool contains(const IpAddress& address) const;

 private:
  AddressBlock(const IpAddress& network, int prefix_bits)
      : network_(network), prefix_bits_(prefix_bits) {}

  IpAddress network_;
  int prefix_bits_;
};

}  // namespace proxy
