#include "gateway/session_stores.h"

#include "proxy/redis_dialer.h"

namespace gateway {

struct SessionStores::Connected {
  Connected(proxy::Loop& loop, const SessionRedis& its, Audit& audit, WorkerCounters& counters)
      : redis(its),
        dialer(loop, redis.server),
        store(loop.timers(), loop.flushes(), dialer, redis, audit, counters) {}

  const SessionRedis redis;
  proxy::RedisDialer dialer;
  RedisSessionStore store;
};

SessionStores::SessionStores(proxy::Loop& loop, Audit& audit, WorkerCounters& counters)
    : loop_(loop), audit_(audit), counters_(counters) {}

SessionStores::~SessionStores() = default;

SessionStore& SessionStores::of(const SessionRedis& redis) {
  for (const auto& each : connected_) {
    if (each->redis == redis) return each->store;
  }
  return connected_.emplace_back(std::make_unique<Connected>(loop_, redis, audit_, counters_))
      ->store;
}

}  // namespace gateway
