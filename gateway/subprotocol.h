// Which subprotocol the gateway itself selects, where no backend does (CONTRACT section 3).
#pragma once

#include <string_view>

#include "gateway/policy.h"
#include "proxy/http.h"

namespace gateway {

// The first offered that carries no credential and is allowed; a view into `fields`. Empty: none.
std::string_view select_subprotocol(const proxy::Fields& fields, const Route& route);

}  // namespace gateway
