// `limits` of a route.
#pragma once

#include "gateway/policy_reader.h"

namespace gateway {

struct RouteLimits {
  ConnectionLimits connection;  // octets.permits_max: of max_message the caller takes care
  IpLimits ip;
  SubjectLimits subject;
};

Type<RouteLimits> limits_type();

}  // namespace gateway
