// Login sessions that connect-redis keeps: each a JSON text under `<prefix><session id>`. One
// worker's connection to that Redis; questions are pipelined on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/audit.h"
#include "gateway/policy.h"
#include "gateway/session_store.h"
#include "gateway/worker_counters.h"
#include "proxy/redis_client.h"

namespace gateway {

class RedisSessionStore final : public SessionStore, private proxy::RedisClient::Observer {
 public:
  // Each is two commands.
  static constexpr std::size_t questions_max = proxy::RedisClient::waiting_max / 2;

  // All that is passed outlives it. Connects once the loop runs.
  RedisSessionStore(proxy::Timers& timers, proxy::FlushList& flushes, proxy::Dialer& dialer,
                    const SessionRedis& redis, Audit& audit, WorkerCounters& counters);

  std::unique_ptr<Inquiry> ask(std::string_view id, Asker& asker) override;

 private:
  class Asked;
  struct Waiting {
    Asker* asker;
    proxy::MonotonicTime since;
    std::optional<std::int64_t> time_to_live = {};  // as PTTL says it, once it has
  };

  void on_away(std::string_view reason) override;
  void on_back() override;

  void on_time_to_live(std::uint64_t question, const proxy::RedisReply* reply);
  void on_record(std::uint64_t question, const proxy::RedisReply* reply);
  Answer read(const Waiting& waiting, const proxy::RedisReply* reply);
  void report(std::string_view refused);

  proxy::Timers& timers_;
  const SessionRedis& redis_;
  Audit& audit_;
  WorkerCounters& counters_;
  std::uint64_t latest_ = 0;
  std::unordered_map<std::uint64_t, Waiting> waiting_;
  std::string refused_;  // what it answered last instead of a record, on this connection
  proxy::RedisClient client_;
};

}  // namespace gateway
