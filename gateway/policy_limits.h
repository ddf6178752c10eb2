// `limits` of a route.
#pragma once

#include <cstdint>
#include <optional>

#include "gateway/policy_reader.h"

namespace gateway {

struct RouteLimits {
  // The caller takes care of octets.permits_max, which depends on max_message, and of on_exceed,
  // whose default depends on messages.
  ConnectionLimits connection;
  std::optional<OnExceed> on_exceed;  // none: left out
  IpLimits ip;
  SubjectLimits subject;
  auth::RateLimit room;
  std::uint32_t rooms_per_connection_max = 100;
};

Type<RouteLimits> limits_type();

}  // namespace gateway
