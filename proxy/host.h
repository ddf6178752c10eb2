// The Host field (RFC 9110 section 7.2): what it may be, without looking anything up.
#pragma once

#include <string_view>

namespace proxy {

// uri-host [ ":" port ] of RFC 3986 section 3.2.2, where uri-host is an IPv6 address in brackets,
// or a name (or IPv4 address) of unreserved characters, no label empty but one at the end. Narrower
// than reg-name: a percent-encoding or a sub-delim (',' as in two Host fields that were joined)
// stands in no name that resolves, and is read differently by those who decode it.
bool well_formed_host(std::string_view host);

}  // namespace proxy
