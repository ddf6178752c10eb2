// Text and sockaddr to and from addresses. inet_pton is strict enough: no octal, no short forms, no
// zone; only its need for a terminated string is met here.
#include "proxy/address.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace proxy {

namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr int v4_mapped_bits = 96;

// Decimal digits without a sign or a leading zero, of at most `value_max`.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned value_max) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  unsigned value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > value_max) {
    return std::nullopt;
  }
  return value;
}

bool same_leading_bits(const std::uint8_t* a, const std::uint8_t* b, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(a, a + whole, b)) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

}  // namespace

IpAddress IpAddress::from_v4(const std::array<std::uint8_t, 4>& octets) {
  IpAddress address;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  return address;
}

IpAddress IpAddress::from_v6(const std::array<std::uint8_t, 16>& octets) {
  if (std::equal(v4_mapped_prefix.begin(), v4_mapped_prefix.end(), octets.begin())) {
    return from_v4({octets[12], octets[13], octets[14], octets[15]});
  }
  IpAddress address;
  address.octets_ = octets;
  address.v4_ = false;
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.contains('\0')) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());

  std::array<std::uint8_t, 4> v4;
  if (::inet_pton(AF_INET, terminated.data(), v4.data()) == 1) return from_v4(v4);
  std::array<std::uint8_t, 16> v6;
  if (::inet_pton(AF_INET6, terminated.data(), v6.data()) == 1) return from_v6(v6);
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::from(const sockaddr& address) {
  if (const auto whole = SocketAddress::from(address)) return whole->ip;
  return std::nullopt;
}

bool IpAddress::loopback() const {
  if (v4_) return octets_[0] == 127;
  return octets_.back() == 1 && std::all_of(octets_.begin(), octets_.end() - 1,
                                            [](std::uint8_t octet) { return octet == 0; });
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(v4_ ? AF_INET : AF_INET6, octets_.data(), text.data(), text.size());
  return text.data();
}

IpAddress IpAddress::limit_key() const {
  IpAddress key = *this;
  // Whoever has one IPv6 address usually has the 2^64 of its network.
  if (!v4_) std::fill(key.octets_.begin() + 8, key.octets_.end(), std::uint8_t{0});
  return key;
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  const auto port = parse_decimal(text.substr(colon + 1), 65535);
  if (!port) return std::nullopt;

  auto host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  // Without brackets "::1:80" could be an address or an address and a port.
  if (bracketed != host.contains(':')) return std::nullopt;
  const auto ip = IpAddress::parse(host);
  if (!ip) return std::nullopt;
  return SocketAddress{*ip, static_cast<std::uint16_t>(*port)};
}

std::optional<SocketAddress> SocketAddress::from(const sockaddr& address) {
  // Copied, since the caller's storage need not be aligned for either type.
  if (address.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), &v4.sin_addr, octets.size());
    return SocketAddress{IpAddress::from_v4(octets), ntohs(v4.sin_port)};
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    std::array<std::uint8_t, 16> octets;
    std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
    return SocketAddress{IpAddress::from_v6(octets), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

std::string SocketAddress::to_string() const {
  const auto host = ip.is_v4() ? ip.to_string() : '[' + ip.to_string() + ']';
  return host + ':' + std::to_string(port);
}

unsigned SocketAddress::to(sockaddr_storage& out) const {
  out = {};
  if (ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.octets().data(), sizeof v4.sin_addr);
    std::memcpy(&out, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, ip.octets().data(), sizeof v6.sin6_addr);
  std::memcpy(&out, &v6, sizeof v6);
  return sizeof v6;
}

std::optional<AddressBlock> AddressBlock::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address_text = text.substr(0, slash);
  const auto network = IpAddress::parse(address_text);
  if (!network) return std::nullopt;
  const int bits_max = network->is_v4() ? 32 : 128;
  if (slash == text.npos) return AddressBlock(*network, bits_max);

  const bool mapped = network->is_v4() && address_text.contains(':');
  const int unwritten_bits = mapped ? v4_mapped_bits : 0;
  const auto written = parse_decimal(text.substr(slash + 1), 128);
  if (!written) return std::nullopt;
  const int bits = static_cast<int>(*written) - unwritten_bits;
  if (bits < 0 || bits > bits_max) return std::nullopt;

  // "10.0.0.1/8" is more likely a mistake than a block.
  const auto& octets = network->octets();
  for (int bit = bits; bit < bits_max; ++bit) {
    if (octets[static_cast<std::size_t>(bit / 8)] & (0x80 >> (bit % 8))) return std::nullopt;
  }
  return AddressBlock(*network, bits);
}

bool AddressBlock::contains(const IpAddress& address) const {
  return address.is_v4() == network_.is_v4() &&
         same_leading_bits(address.octets().data(), network_.octets().data(), prefix_bits_);
}

}  // namespace proxy
