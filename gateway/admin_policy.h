// GET /v1/policy: the running policy without its secrets, and how old its keys are.
#pragma once

#include <memory>

#include "gateway/admin_api.h"
#include "gateway/policy.h"
#include "proxy/timers.h"

namespace gateway {

// `timers` outlive the listener.
void add_policy_row(AdminApi& api, std::shared_ptr<const Policy> policy,
                    const proxy::Timers& timers);

}  // namespace gateway
