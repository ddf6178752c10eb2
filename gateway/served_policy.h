// A policy as one worker serves it: what the worker makes of it besides the values themselves. Made
// anew for each policy that comes into force, on the thread that loads it, and never changed;
// admissions and sessions hold the one that they were last judged by, so that what they point at
// lives as long as they do.
//
// What is counted and remembered goes on: counters of a route that stays, and what is known of the
// servers of a backend that stays, are those of the policy before.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "gateway/ledger.h"
#include "gateway/policy.h"
#include "gateway/worker_counters.h"
#include "proxy/backend.h"
#include "proxy/relay.h"

namespace gateway {

struct ServedRoute {
  proxy::RelaySettings relay;
  std::shared_ptr<RouteCounters> counters;  // written by the worker alone, read from any thread
};

struct ServedPolicy {
  std::shared_ptr<const Policy> policy;
  std::vector<ServedRoute> routes;                                            // by Route::index
  std::map<const BackendSettings*, std::shared_ptr<proxy::Servers>> servers;  // the worker's alone,
                                                                              // but for counts

  const ServedRoute& of(const Route& route) const { return routes[route.index]; }
  proxy::Servers& servers_of(const BackendSettings& backend) const {
    return *servers.find(&backend)->second;
  }
};

// `before`: what the worker serves now; null: nothing yet. The ledger outlives it.
std::shared_ptr<const ServedPolicy> serve_policy(std::shared_ptr<const Policy> policy,
                                                 unsigned worker, Ledger& ledger,
                                                 const ServedPolicy* before);

}  // namespace gateway
