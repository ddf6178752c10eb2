// GET /v1/policy: the running policy without its secrets, and how old its keys are.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "gateway/admin_api.h"
#include "gateway/key_set_status.h"
#include "gateway/policy.h"
#include "proxy/timers.h"

namespace gateway {

// `timers` outlive the listener. `policy`: the one in force. `fetched`: how the sets stand that are
// fetched.
void add_policy_row(AdminApi& api, std::function<std::shared_ptr<const Policy>()> policy,
                    const proxy::Timers& timers,
                    std::function<std::vector<KeySetStatus>()> fetched);

}  // namespace gateway
