// The Bus over Redis: one connection for Pub/Sub and one for commands. If either is lost both are
// given up, and the bus is away until both are made again, every channel is subscribed again and a
// heartbeat has gone round: published on the one, seen on the other.
//
// It has no socket and no clock: a Dialer gives it streams, Timers tell the time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/backoff.h"
#include "proxy/bus.h"
#include "proxy/redis_connection.h"
#include "proxy/redis_dialer.h"

namespace proxy {

class RedisBus final : public Bus {
 public:
  // CONTRACT section 7: publications that wait for an answer, with their channels.
  static constexpr std::size_t waiting_octets_max = 16 * 1024 * 1024;
  // SUBSCRIBEs that are restored at a time.
  static constexpr std::size_t batch_max = 1'000;

  // `server` and `dialer` outlive it. `heartbeat_channel`: this instance's alone. `timeout`: of
  // each reply, and of a heartbeat's round.
  RedisBus(Timers& timers, FlushList& flushes, Dialer& dialer, const RedisServer& server,
           Duration timeout, std::string heartbeat_channel);
  ~RedisBus() override = default;

  void start(Observer& observer) override;
  bool away() const override { return state_ != State::Back; }
  void subscribe(std::string_view channel) override;
  void unsubscribe(std::string_view channel) override;
  bool publish(std::string_view channel, std::string_view text) override;

 private:
  enum class State : std::uint8_t {
    Waiting,    // for the next attempt
    Dialling,   // until both connections are ready
    Restoring,  // until what was subscribed is subscribed again
    Checking,   // until the first heartbeat has gone round
    Back,
  };

  // Tells the two connections' calls apart.
  struct Commands final : RedisConnection::Observer {
    explicit Commands(RedisBus& owner) : bus(owner) {}
    void on_ready() override { bus.on_ready(); }
    void on_reply(const RedisReply& reply) override { bus.on_published(reply); }
    void on_message(std::string_view, std::string_view) override {}
    void on_gone(const RedisFailure& failure) override { bus.on_gone(failure); }
    RedisBus& bus;
  };
  struct Subscriptions final : RedisConnection::Observer {
    explicit Subscriptions(RedisBus& owner) : bus(owner) {}
    void on_ready() override { bus.on_ready(); }
    void on_reply(const RedisReply& reply) override { bus.on_subscription(reply); }
    void on_message(std::string_view channel, std::string_view text) override {
      bus.on_message(channel, text);
    }
    void on_gone(const RedisFailure& failure) override { bus.on_gone(failure); }
    RedisBus& bus;
  };

  // A SUBSCRIBE or UNSUBSCRIBE without a reply.
  struct Asked {
    std::string channel;
    std::uint64_t subscription;  // as in channels_; 0: it is an UNSUBSCRIBE
    bool restores;
  };
  // A PUBLISH without a reply.
  struct Published {
    std::size_t octets;  // 0: it is a heartbeat
  };

  void look_up();
  void dial();
  void on_ready();
  void restore();
  void ask(std::string_view channel, bool restores);
  void on_subscription(const RedisReply& reply);
  void on_confirmed(const Asked& asked, bool confirmed);
  void on_published(const RedisReply& reply);
  void on_message(std::string_view channel, std::string_view text);
  void on_gone(const RedisFailure& failure);
  void beat();
  void on_beat();
  void lose(std::string_view reason);
  void drop_connections();

  Timers& timers_;
  FlushList& flushes_;
  Dialer& dialer_;
  const RedisServer& server_;
  const Duration timeout_;
  const std::string heartbeat_channel_;
  Observer* observer_ = nullptr;
  Commands on_commands_{*this};
  Subscriptions on_subscriptions_{*this};

  State state_ = State::Waiting;
  unsigned ready_ = 0;  // connections
  std::unique_ptr<RedisConnection> commands_;
  std::unique_ptr<RedisConnection> subscriptions_;
  std::vector<std::unique_ptr<RedisConnection>> dropped_;  // until the next attempt: they may be
                                                           // among our callers
  std::deque<Asked> asked_;
  std::deque<Published> published_;
  std::size_t waiting_octets_ = 0;

  // What is subscribed, or to be, and the number of its latest SUBSCRIBE. Ordered, so that one
  // batch goes on where another one ended. Clients choose the names: no hash.
  std::map<std::string, std::uint64_t, std::less<>> channels_;
  std::uint64_t subscription_ = 0;
  std::string restored_;       // the last channel that was asked for
  std::size_t restoring_ = 0;  // without a reply

  std::string reason_;  // why it is away, as the observer knows it
  std::uint64_t beat_ = 0;
  Backoff backoff_;
  Timer attempt_;
  Timer lookup_late_;
  Timer beat_due_;   // the next one is to be published
  Timer beat_late_;  // the one under way has not been seen
};

}  // namespace proxy
