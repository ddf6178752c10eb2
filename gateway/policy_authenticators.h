// `authenticators` of a policy: how a credential becomes a principal.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "gateway/policy_reader.h"

namespace gateway {

// By name; null where it is declared but wrong, so that nobody who names it is blamed for that.
using Authenticators = std::map<std::string, std::shared_ptr<const Authenticator>>;

Authenticators read_authenticators(PolicyReader& reader, const YamlNode& node);

}  // namespace gateway
