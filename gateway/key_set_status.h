// How a set of keys that is fetched stands: for the log, the admin API and metrics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "proxy/timers.h"

namespace gateway {

struct KeySetStatus {
  std::string authenticator;  // its name in the policy
  std::size_t number = 1;     // of those that this one fetches, in the policy's order
  std::string origin;         // scheme, host and port of where it comes from
  bool discovered = false;    // there is the OpenID configuration that names it
  std::size_t keys = 0;       // that serve
  std::size_t left_out = 0;   // of no use here (auth/key_set.h)
  std::string first_left_out;
  std::optional<proxy::MonotonicTime> fetched;     // the last fetch that succeeded; none: never
  std::optional<proxy::MonotonicTime> good_until;  // unless it is fetched again; none: never was
  std::string last_error;                          // empty: the last fetch succeeded
  std::uint64_t fetches = 0;                       // that ended, since the start
  std::uint64_t failures = 0;                      // of them
  std::uint64_t failures_in_a_row = 0;             // up to now
};

}  // namespace gateway
