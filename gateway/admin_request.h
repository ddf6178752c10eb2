// Which requests the admin listener lets in (CONTRACT section 6). An API on loopback is within
// reach of every page in the operator's browser (SECURITY 24), so a request says by itself that no
// page has sent it: no foreign Origin, no name that a page's owner may have rebound to this
// address, no body that a form can make. Without I/O.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/admin_api.h"
#include "proxy/http.h"

namespace gateway {

inline constexpr std::size_t admin_body_octets_max = 1024 * 1024;

// A request target (RFC 9112 section 3.2.1): the path's segments and the query, percent-encodings
// decoded, in the query also '+', as a URLSearchParams writes a space. None: it is not origin-form,
// is not well encoded, or has a parameter twice.
struct AdminTarget {
  std::vector<std::string> path;
  AdminQuery query;
};
std::optional<AdminTarget> parse_admin_target(std::string_view target);

struct AdmittedCall {
  const AdminRow* row;
  AdminCall call;           // its body is still to come
  std::size_t body_octets;  // at most admin_body_octets_max
};

// `token`: the policy's; empty: none. The error is the answer.
std::expected<AdmittedCall, AdminAnswer> admit_call(const proxy::RequestHead& request,
                                                    const std::string& token, const AdminApi& api);

}  // namespace gateway
