// The session stores that a worker asks: one for each Redis and prefix that its policy names.
#pragma once

#include <memory>
#include <vector>

#include "gateway/redis_session_store.h"
#include "proxy/loop.h"

namespace gateway {

class SessionStores {
 public:
  // All of it outlives this, which outlives every question.
  SessionStores(proxy::Loop& loop, Audit& audit, WorkerCounters& counters);
  SessionStores(const SessionStores&) = delete;
  SessionStores& operator=(const SessionStores&) = delete;
  ~SessionStores();

  // On the loop's thread or before it runs; the first call connects.
  SessionStore& of(const SessionRedis& redis);

 private:
  struct Connected;

  proxy::Loop& loop_;
  Audit& audit_;
  WorkerCounters& counters_;
  std::vector<std::unique_ptr<Connected>> connected_;
};

}  // namespace gateway
