// POST /v1/revocations (CONTRACT section 6).
#pragma once

#include <functional>

#include "gateway/admin_api.h"
#include "gateway/audit.h"
#include "gateway/control.h"
#include "proxy/timers.h"

namespace gateway {

// Called on the admin listener's thread, and answers there, at once or later.
using Revoke =
    std::function<void(RevocationRequest request, proxy::IpAddress asked_by, Control::Answer)>;

// All given outlive the listener.
void add_revocation_rows(AdminApi& api, const proxy::Timers& timers, Audit& audit, Revoke revoke);

}  // namespace gateway
