// What of a policy that was loaded again can come into force without a restart (CONTRACT section
// 5). Values in, values out.
#pragma once

#include <expected>
#include <vector>

#include "gateway/policy.h"
#include "gateway/policy_file.h"

namespace gateway {

// What comes into force: `loaded`, but with the listen addresses (not what is said of them),
// workers, admin.address and redis of the one that is running. Each that differs is named in a
// warning. Faults: what would be wrong with these together.
std::expected<LoadedPolicy, std::vector<PolicyError>> change_policy(const Policy& running,
                                                                    LoadedPolicy loaded);

}  // namespace gateway
