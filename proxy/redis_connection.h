// One connection to a Redis: logs in, sends commands, and hands out the replies in order. Commands
// of one iteration of the loop go out in one write; none waits for the reply to another.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proxy/flush_list.h"
#include "proxy/redis_reply.h"
#include "proxy/redis_url.h"
#include "proxy/timers.h"
#include "proxy/transport.h"

namespace proxy {

struct RedisFailure {
  enum class Kind : std::uint8_t {
    Unreachable,  // the stream ended before anything came
    Lost,         // it was, and the stream ended
    NoAnswer,     // a reply, or the connection, took longer than the timeout
    BadReply,     // what came is no reply, or none to what was asked
    ErrorReply,   // it does not let us in
  };
  Kind kind;
  std::string error = {};  // of ErrorReply: as RedisReply::error()

  std::string_view reason() const;  // for the log
};

class RedisConnection final : private Transport::Observer, private FlushList::Member {
 public:
  class Observer {
   public:
    virtual void on_ready() = 0;                         // once
    virtual void on_reply(const RedisReply& reply) = 0;  // to the oldest send() that has none
    virtual void on_message(std::string_view channel, std::string_view text) = 0;
    virtual void on_gone(const RedisFailure& failure) = 0;  // the last call

   protected:
    ~Observer() = default;
  };

  // Subscriptions: it may send nothing but SUBSCRIBE, UNSUBSCRIBE (of one channel, so that there is
  // one reply) and PING, and what is published comes in between the replies, as on_message().
  enum class Use : std::uint8_t { Commands, Subscriptions };

  // `transport` need not be connected yet. `timeout`: for the way until on_ready(), and for each
  // reply.
  RedisConnection(Timers& timers, FlushList& flushes, std::unique_ptr<Transport> transport, Use use,
                  const RedisServer& server, Duration timeout, Observer& observer);
  ~RedisConnection() = default;  // not from within a call of its observer: there, close() it first

  // From on_ready() on. Never fails: see on_gone().
  void send(std::span<const std::string_view> command);
  void send(std::initializer_list<std::string_view> command) {
    send(std::span(command.begin(), command.size()));
  }

  void close();  // the stream is dropped, and no call follows

 private:
  void on_octets(std::string_view octets) override;
  void on_sent() override {}
  void on_gone(TransportError error) override;
  void flush() override;

  void log_in(const RedisServer& server);
  void read(const RedisReply& reply);
  void read_log_in(const RedisReply& reply);
  void check_answers();
  void lose(RedisFailure failure);

  Timers& timers_;
  std::unique_ptr<Transport> transport_;  // null: closed, or gone
  const Use use_;
  const Duration timeout_;
  Observer& observer_;
  RedisReader reader_;
  std::string unsent_;                    // commands of this iteration
  std::deque<MonotonicTime> unanswered_;  // when they were sent
  bool heard_ = false;                    // anything
  std::size_t log_in_left_ = 0;           // commands of log_in() that are unanswered
  Timer answer_due_;
};

}  // namespace proxy
