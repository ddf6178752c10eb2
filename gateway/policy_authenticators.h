// `authenticators` of a policy: how a credential becomes a principal.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gateway/policy_reader.h"

namespace gateway {

// By name; null where it is declared but wrong, so that nobody who names it is blamed for that.
using Authenticators = std::map<std::string, std::shared_ptr<const Authenticator>>;

// `redis`: the top level's, where login sessions are unless they are said to be elsewhere.
Authenticators read_authenticators(PolicyReader& reader, const YamlNode& node,
                                   const std::optional<RedisSettings>& redis);
std::vector<KeyShape> authenticator_shapes();

}  // namespace gateway
