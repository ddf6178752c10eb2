// What time it is, as tokens and revocations tell it.
#pragma once

#include <chrono>

#include "auth/principal.h"
#include "proxy/timers.h"

namespace gateway {

inline auth::WallTime wall_time(const proxy::Instant& now) {
  return std::chrono::floor<std::chrono::milliseconds>(now.wall);
}

}  // namespace gateway
