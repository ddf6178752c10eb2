// GET /healthz: the process lives. GET /readyz: new clients may be sent to it. Both need no token.
#pragma once

#include <functional>
#include <string_view>

#include "gateway/admin_api.h"

namespace gateway {

// HAProxy's plain `option httpchk GET /healthz` asks in HTTP/1.0 and without a Host.
bool health_target(std::string_view target);

// `unready`: a word for why no clients should come, of static life; empty: they may.
void add_health_rows(AdminApi& api, std::function<std::string_view()> unready);

}  // namespace gateway
