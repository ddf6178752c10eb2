// Whose request is it? X-Forwarded-For, believed only from proxies that the operator trusts.
#pragma once

#include <span>

#include "proxy/address.h"
#include "proxy/http.h"

namespace proxy {

// More hops than any real chain has; what is further left is not looked at.
inline constexpr std::size_t forwarded_hops_max = 32;

// The rightmost address of X-Forwarded-For that is not a trusted proxy's, or `peer` where the peer
// is not one itself. All fields of the name are one list (RFC 9110 section 5.3). If everyone in it
// is trusted, the leftmost. An element that is no address ("unknown", a name) ends the walk: what
// stands left of it cannot be attributed, so the trusted proxy that wrote it is the client.
// A port behind the address, as some load balancers write it, is ignored.
IpAddress client_address(const IpAddress& peer, const Fields& fields,
                         std::span<const AddressBlock> trusted);

}  // namespace proxy
