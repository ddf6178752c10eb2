// `backends` of a policy: the servers behind the gateway.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "gateway/policy_reader.h"

namespace gateway {

// By name; null where it is declared but wrong.
using Backends = std::map<std::string, std::shared_ptr<const BackendSettings>>;

Backends read_backends(PolicyReader& reader, const YamlNode& node);
std::vector<KeyShape> backend_shapes();

}  // namespace gateway
