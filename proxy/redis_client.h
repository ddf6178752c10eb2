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
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/backoff.h"
#include "proxy/redis_connection.h"
#include "proxy/redis_dialer.h"

namespace proxy {

class RedisClient final : private RedisConnection::Observer {
 public:
  // Commands that wait for an answer: a Redis that hangs must not gather them.
  static constexpr std::size_t waiting_max = 16 * 1024;

  // Called from the loop, never from within a call of the client.
  class Observer {
   public:
    // `reason`: a word for the log, until the call returns. Called again, still away, when the
    // reason is another one.
    virtual void on_away(std::string_view reason) = 0;
    virtual void on_back() = 0;

   protected:
    ~Observer() = default;
  };

  // Null: not known to have been carried out, and never will be. The reply is good until the call
  // returns, and may be an error.
  using Answer = std::move_only_function<void(const RedisReply* reply)>;

  // `server`, `dialer` and `observer` outlive it. `timeout`: of each reply, and of a lookup.
  RedisClient(Timers& timers, FlushList& flushes, Dialer& dialer, const RedisServer& server,
              Duration timeout, Observer& observer);
  ~RedisClient() = default;  // what has no answer gets none

  void start();  // on the loop's thread or before it runs

  // False: away, or too many wait already; it was not sent and has no answer. What is asked before
  // the first attempt to connect has ended waits for that. The answer comes from the loop.
  [[nodiscard]] bool ask(std::span<const std::string_view> command, Answer answer);
  [[nodiscard]] bool ask(std::initializer_list<std::string_view> command, Answer answer) {
    return ask(std::span(command.begin(), command.size()), std::move(answer));
  }

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
  const RedisServer server_;
  const Duration timeout_;

  Observer& observer_;

  bool looking_ = false;
  bool ready_ = false;
  bool attempted_ = false;  // an attempt has ended, one way or the other
  std::unique_ptr<RedisConnection> connection_;
  // Until the next attempt: it may be among our callers.
  std::vector<std::unique_ptr<RedisConnection>> dropped_;
  std::deque<Answer> waiting_;
  std::vector<std::vector<std::string>> unsent_;  // commands, before the first attempt has ended
  std::string reason_;                            // why it is away, as the observer knows it
  Backoff backoff_;
  Timer attempt_;
  Timer lookup_late_;
};

}  // namespace proxy
