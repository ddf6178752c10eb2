// The metrics of an instance: the one table of all families, and the text that GET /metrics
// answers (CONTRACT section 6). Without I/O: what is read here, others have counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/exchange.h"
#include "gateway/key_set_status.h"
#include "gateway/ledger.h"
#include "gateway/log.h"
#include "gateway/policy.h"
#include "gateway/revocations.h"
#include "gateway/rooms.h"
#include "gateway/served_policy.h"
#include "gateway/shared_buckets.h"
#include "gateway/worker_counters.h"
#include "proxy/backend.h"
#include "proxy/counter.h"
#include "proxy/timers.h"

namespace gateway {

// What is read of a worker, from another thread than its own.
struct WorkerMetrics {
  const WorkerCounters& counters;
  const RefusalSampler& refusals;
  const Rooms& rooms;
  const ServedPolicy& served;
  const proxy::LatencyHistogram& iterations;
};

// What is read of the instance. All of it outlives the call, and may be written to meanwhile.
struct InstanceMetrics {
  const Policy& policy;
  const Ledger& ledger;
  const Exchange& exchange;
  const Log& log;
  const Revocations& revocations;
  std::vector<WorkerMetrics> workers = {};
  std::size_t redis_waiting_octets = 0;                        // of a policy with Redis
  const proxy::LatencyHistogram* redis_round_trips = nullptr;  // the same
  std::uint64_t control_texts_invalid = 0;                     // the same
  const SharedBuckets* shared_buckets = nullptr;               // the same
  const RefusalSampler* admin_refusals = nullptr;
  std::uint64_t reloads = 0;  // of the policy, that succeeded
  std::uint64_t reloads_failed = 0;
  proxy::WallTime started{};
  proxy::MonotonicTime now{};
  std::vector<KeySetStatus> key_sets = {};
  bool ready = true;
  bool draining = false;
};

std::string metrics_text(const InstanceMetrics& instance);

}  // namespace gateway
