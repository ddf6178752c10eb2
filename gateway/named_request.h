// The request that a proxy asks about before it passes it on (CONTRACT section 6). nginx is told to
// name it in X-Original-URI, beside the request's own Host; Traefik and Caddy name it in
// X-Forwarded-Uri and X-Forwarded-Host.
#pragma once

#include <optional>
#include <string_view>

#include "proxy/http.h"

namespace gateway {

struct NamedRequest {       // views into the fields
  std::string_view host;    // as a Host field has it; empty: it was not said
  std::string_view target;  // not parsed
};

// A proxy passes on what its client sent under the names that it does not write itself, so both
// may be there, and one of them may be the client's. None: no request is named, or a field is there
// twice, or there are two and they differ in host or target, or the host is none.
std::optional<NamedRequest> find_named_request(const proxy::Fields& fields);

}  // namespace gateway
