// One Redis, asked by commands over one connection that is made again when it is lost.
//
// It has no socket and no clock: a Dialer gives it streams, Timers tell the time.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/backoff.h"
#include "proxy/redis_connection.h"
#include "proxy/redis_dialer.h"

namespace proxy {

class RedisClient final : private RedisConnection::Observer {
 public:
  // Questions that wait for an answer: a Redis that hangs must not gather them.
  static constexpr std::size_t waiting_max = 16 * 1024;

  // Null: not known to have been answered, and never will be. The reply is good until the call
  // returns, and may be an error.
  using Answer = std::move_only_function<void(const RedisReply* reply)>;

  // `server` and `dialer` outlive it. `timeout`: of each reply, and of a lookup.
  RedisClient(Timers& timers, FlushList& flushes, Dialer& dialer, const RedisServer& server,
              Duration timeout);
  ~RedisClient() = default;  // what has no answer gets none

  void start();

  // False: away, or too many wait already; it was not sent and has no answer. The answer comes from
  // the loop.
  [[nodiscard]] bool ask(std::span<const std::string_view> command, Answer answer);
  [[nodiscard]] bool ask(std::initializer_list<std::string_view> command, Answer answer) {
    return ask(std::span(command.begin(), command.size()), std::move(answer));
  }

  bool away() const { return !ready_; }

  // Why it is away, a word for the log; empty before the first attempt has ended.
  std::string_view reason() const { return reason_; }

 private:
  void on_ready() override;
  void on_reply(const RedisReply& reply) override;
  void on_message(std::string_view, std::string_view) override {}
  void on_gone(const RedisFailure& failure) override;

  void look_up();
  void dial();
  void lose(std::string_view reason);
  void drop_connection();

  Timers& timers_;
  FlushList& flushes_;
  Dialer& dialer_;
  const RedisServer& server_;
  const Duration timeout_;

  bool looking_ = false;
  bool ready_ = false;
  std::unique_ptr<RedisConnection> connection_;
  // Until the next attempt: it may be among our callers.
  std::vector<std::unique_ptr<RedisConnection>> dropped_;
  std::deque<Answer> waiting_;
  std::string reason_;
  Backoff backoff_;
  Timer attempt_;
  Timer lookup_late_;
};

}  // namespace proxy
