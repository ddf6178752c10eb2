// `routes` of a policy: who may connect where.
#pragma once

#include <vector>

#include "gateway/policy_authenticators.h"
#include "gateway/policy_backends.h"
#include "gateway/policy_reader.h"

namespace gateway {

std::vector<Route> read_routes(PolicyReader& reader, const YamlNode& node,
                               const Authenticators& authenticators, const Backends& backends);
std::vector<KeyShape> route_shapes();

}  // namespace gateway
