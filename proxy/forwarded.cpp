#include "proxy/forwarded.h"

#include <algorithm>
#include <vector>

namespace proxy {

namespace {

bool is_trusted(const IpAddress& address, std::span<const AddressBlock> trusted) {
  return std::any_of(trusted.begin(), trusted.end(),
                     [&](const AddressBlock& block) { return block.contains(address); });
}

// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711".
std::optional<IpAddress> parse_hop(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) return address;
  if (text.starts_with('[') && text.ends_with(']')) {
    const auto inner = text.substr(1, text.size() - 2);
    return inner.contains(':') ? IpAddress::parse(inner) : std::nullopt;
  }
  if (const auto address = SocketAddress::parse(text)) return address->ip;
  return std::nullopt;
}

// Takes the last element off a comma-separated list.
std::string_view take_last(std::string_view& list) {
  const auto comma = list.rfind(',');
  const auto last = comma == list.npos ? list : list.substr(comma + 1);
  list = comma == list.npos ? std::string_view{} : list.substr(0, comma);
  return trimmed(last);
}

}  // namespace

IpAddress client_address(const IpAddress& peer, const Fields& fields,
                         std::span<const AddressBlock> trusted) {
  if (!is_trusted(peer, trusted)) return peer;

  std::vector<std::string_view> lists;
  for (const auto& field : fields) {
    if (equals_ignoring_case(field.name, "x-forwarded-for")) lists.push_back(field.value);
  }

  IpAddress client = peer;
  std::size_t hops = 0;
  while (!lists.empty() && hops < forwarded_hops_max) {
    ++hops;
    const auto element = take_last(lists.back());
    if (lists.back().empty()) lists.pop_back();
    if (element.empty()) continue;  // RFC 9110 section 5.6.1.2
    const auto hop = parse_hop(element);
    if (!hop) return client;
    client = *hop;
    if (!is_trusted(client, trusted)) return client;
  }
  return client;
}

}  // namespace proxy
