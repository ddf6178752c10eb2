// What a request has to say of a body that is to be read as JSON, before any of it is read.
#pragma once

#include <cstddef>
#include <expected>

#include "proxy/http.h"

namespace gateway {

// How long it is. Else the status that says what is missing: 415, it does not say that it is JSON;
// 411, nor how long it is; 413, it is longer than `octets_max`. A page can send a form anywhere
// without being asked whether it may (Fetch Standard, CORS-safelisted request-header): as one of
// three other types.
std::expected<std::size_t, int> json_body_octets(const proxy::RequestHead& request,
                                                 std::size_t octets_max);

}  // namespace gateway
