// `listen` of a policy: where clients come in.
#pragma once

#include "gateway/policy_reader.h"

namespace gateway {

// Into policy.listen. policy.loaded_at is known by then.
void read_listeners(PolicyReader& reader, const YamlNode& node, Policy& policy);
std::vector<KeyShape> listener_shapes();

}  // namespace gateway
