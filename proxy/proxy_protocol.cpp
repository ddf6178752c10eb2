#include "proxy/proxy_protocol.h"

#include <algorithm>
#include <array>

namespace proxy {

namespace {

constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};  // of version 2
constexpr std::string_view prefix = "PROXY ";                      // of version 1
constexpr std::size_t fixed_octets = 16;                           // of version 2, before its body

unsigned octet_at(std::string_view octets, std::size_t at) {
  return static_cast<unsigned char>(octets[at]);
}

// Up to the next space or the end; takes the space, too.
std::string_view take_word(std::string_view& line) {
  const auto space = line.find(' ');
  const auto word = line.substr(0, space);
  line = space == line.npos ? std::string_view{} : line.substr(space + 1);
  return word;
}

bool is_port(std::string_view text) {
  constexpr unsigned port_max = 65535;
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || text.size() > 5 || !digits || (text.size() > 1 && text[0] == '0')) {
    return false;
  }
  unsigned port = 0;
  for (const char c : text) port = port * 10 + static_cast<unsigned>(c - '0');
  return port <= port_max;
}

// An address of the family that the header says; "::ffff:192.0.2.1" is written as one of IPv6.
std::optional<IpAddress> parse_address(std::string_view text, bool v4) {
  if (text.contains(':') == v4) return std::nullopt;
  return IpAddress::parse(text);
}

// The two octets of a version 2 header behind the signature that say what is in it.
struct Content {
  std::size_t addresses = 0;  // octets of the body that are addresses
  std::size_t client = 0;     // of those: of the client's IP address; 0: there is none
};

std::optional<Content> content_of(unsigned command, unsigned family) {
  if (command == 0x20) return Content{};  // LOCAL: what addresses it has are not looked at
  if (command != 0x21) return std::nullopt;
  switch (family) {
    case 0x00:
      return Content{};  // UNSPEC: the same
    case 0x11:
      return Content{12, 4};
    case 0x21:
      return Content{36, 16};
    case 0x31:
      return Content{216, 0};
    default:
      return std::nullopt;  // datagrams do not come here, and nothing else is defined
  }
}

}  // namespace

ProxyHeaderParser::State ProxyHeaderParser::receive(std::string_view& octets) {
  while (!octets.empty()) {
    const char next = octets.front();
    octets.remove_prefix(1);
    if (const auto state = take(next); state != State::NeedsMore) return state;
  }
  return State::NeedsMore;
}

ProxyHeaderParser::State ProxyHeaderParser::take(char octet) {
  if (header_.size() >= fixed_octets && header_.starts_with(signature)) {
    if (body_octets_read_ < body_octets_kept_) header_.push_back(octet);
    return ++body_octets_read_ == body_octets_ ? read_body() : State::NeedsMore;
  }
  header_.push_back(octet);
  const auto begins = [this](std::string_view with) {
    return with.starts_with(std::string_view(header_).substr(0, with.size()));
  };
  if (begins(signature)) {
    return header_.size() == fixed_octets ? read_fixed_part() : State::NeedsMore;
  }
  if (!begins(prefix)) return State::Failed;
  if (header_.ends_with("\r\n")) return read_line();
  return header_.size() == line_octets_max ? State::Failed : State::NeedsMore;
}

// Section 2.1.
ProxyHeaderParser::State ProxyHeaderParser::read_line() {
  std::string_view line(header_);
  line.remove_prefix(prefix.size());
  line.remove_suffix(2);
  const auto family = take_word(line);
  if (family == "UNKNOWN") return State::Complete;  // whatever stands behind it
  if (family != "TCP4" && family != "TCP6") return State::Failed;
  const bool v4 = family == "TCP4";
  const auto source = parse_address(take_word(line), v4);
  const auto destination = parse_address(take_word(line), v4);
  const auto source_port = take_word(line);
  const bool good = source && destination && is_port(source_port) && is_port(line);
  if (!good) return State::Failed;
  client_ = source;
  return State::Complete;
}

// Section 2.2.
ProxyHeaderParser::State ProxyHeaderParser::read_fixed_part() {
  const auto content = content_of(octet_at(header_, 12), octet_at(header_, 13));
  body_octets_ = octet_at(header_, 14) << 8 | octet_at(header_, 15);
  if (!content || body_octets_ < content->addresses || body_octets_ > body_octets_max) {
    return State::Failed;
  }
  body_octets_kept_ = content->client;
  return body_octets_ == 0 ? State::Complete : State::NeedsMore;
}

ProxyHeaderParser::State ProxyHeaderParser::read_body() {
  const auto source = std::string_view(header_).substr(fixed_octets);
  const auto copy_to = [source](auto& octets) {
    std::ranges::transform(source, octets.begin(),
                           [](char c) { return static_cast<std::uint8_t>(c); });
    return octets;
  };
  if (body_octets_kept_ == 4) {
    std::array<std::uint8_t, 4> octets;
    client_ = IpAddress::from_v4(copy_to(octets));
  } else if (body_octets_kept_ == 16) {
    std::array<std::uint8_t, 16> octets;
    client_ = IpAddress::from_v6(copy_to(octets));
  }
  return State::Complete;
}

}  // namespace proxy
