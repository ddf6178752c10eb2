// The Bus over Redis: one connection for Pub/Sub and one for commands. If either is lost both are
// given up, and the bus is away until both are made again, every channel is subscribed again, every
// resident has loaded what it needs, and a heartbeat has gone round: published on the one, seen on
// the other.
//
// It has no socket and no clock: a Dialer gives it streams, Timers tell the time.
#pragma once

#include <atomic>
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
#include "proxy/counter.h"
#include "proxy/redis_connection.h"
#include "proxy/redis_dialer.h"
#include "proxy/store.h"

namespace proxy {

class RedisBus final : public Bus, public Store {
 public:
  // CONTRACT section 7: publications that wait for an answer, with their channels. Questions count
  // among them.
  static constexpr std::size_t waiting_octets_max = 16 * 1024 * 1024;
  // SUBSCRIBEs that are restored at a time.
  static constexpr std::size_t batch_max = 1'000;

  // `server` and `dialer` outlive it. `heartbeat_channel`: this instance's alone. `timeout`: of
  // each reply, and of a heartbeat's round.
  RedisBus(Timers& timers, FlushList& flushes, Dialer& dialer, const RedisServer& server,
           Duration timeout, std::string heartbeat_channel);
  ~RedisBus() override = default;

  void start(Observer& observer) override;
  bool away() const override { return state_ < State::Back; }
  bool confirms() const override { return state_ >= State::Settling; }
  void subscribe(std::string_view channel) override;
  void unsubscribe(std::string_view channel) override;
  bool publish(std::string_view channel, std::string_view text) override;

  void attach(Resident& resident) override { residents_.push_back(&resident); }
  void settled() override;
  void give_up(std::string_view reason) override;
  bool ask(std::span<const std::string_view> command, Answer answer) override;
  using Store::ask;

  // From any thread: of what waits for an answer; waiting_octets_max at most.
  std::size_t waiting_octets() const { return waiting_octets_; }

  // From any thread: of the heartbeats that went round.
  const LatencyHistogram& round_trips() const { return round_trips_; }

 private:
  enum class State : std::uint8_t {
    Waiting,    // for the next attempt
    Dialling,   // until both connections are ready
    Opening,    // until our own channel and those of the residents are subscribed
    Restoring,  // until what was subscribed is subscribed again, and the residents have settled
    Checking,   // until the first heartbeat has gone round
    Settling,   // until what was subscribed by then is
    Back,
    Ending,  // the command connection is lost: until what Redis said before has been heard
  };

  // Tells the two connections' calls apart.
  struct Commands final : RedisConnection::Observer {
    explicit Commands(RedisBus& owner) : bus(owner) {}
    void on_ready() override { bus.on_ready(); }
    void on_reply(const RedisReply& reply) override { bus.on_answer(reply); }
    void on_message(std::string_view, std::string_view) override {}
    void on_gone(const RedisFailure& failure) override { bus.on_commands_gone(failure); }
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
  // A command without a reply.
  struct Waiting {
    enum class Kind : std::uint8_t { Heartbeat, Publication, Question };
    Kind kind;
    std::size_t octets;
    Answer answer = {};  // to a question
  };

  bool up() const { return state_ >= State::Restoring && state_ <= State::Back; }
  void look_up();
  void dial();
  void on_ready();
  void open(std::string_view channel);
  void on_opened(const RedisReply& reply);
  void on_up();
  void restore();
  void check();
  void ask(std::string_view channel, bool restores);
  void on_subscription(const RedisReply& reply);
  void on_confirmed(const Asked& asked, bool confirmed);
  bool send(Waiting::Kind kind, std::span<const std::string_view> command, Answer answer);
  void on_answer(const RedisReply& reply);
  void on_message(std::string_view channel, std::string_view text);
  void on_commands_gone(const RedisFailure& failure);
  void on_gone(const RedisFailure& failure);
  void beat();
  void on_beat();
  void settle();
  void lose(std::string_view reason);
  void tell_lost();
  void drop(std::unique_ptr<RedisConnection>& connection);

  Timers& timers_;
  FlushList& flushes_;
  Dialer& dialer_;
  const RedisServer server_;
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
  std::deque<Waiting> waiting_;
  std::atomic<std::size_t> waiting_octets_ = 0;

  std::vector<Resident*> residents_;
  std::size_t opening_ = 0;    // channels of ours and theirs without a reply
  std::size_t unsettled_ = 0;  // residents

  // What is subscribed, or to be, and the number of its latest SUBSCRIBE. Ordered, so that one
  // batch goes on where another one ended. Clients choose the names: no hash.
  std::map<std::string, std::uint64_t, std::less<>> channels_;
  std::uint64_t subscription_ = 0;
  std::string restored_;          // the last channel that was asked for
  std::size_t restoring_ = 0;     // without a reply
  std::uint64_t settled_at_ = 0;  // the SUBSCRIBE whose reply ends Settling

  std::string reason_;    // why it is away, as the observer knows it
  std::string given_up_;  // a resident's reason
  std::uint64_t beat_ = 0;
  MonotonicTime beat_at_{};  // when it was published
  LatencyHistogram round_trips_;
  Backoff backoff_;
  Timer attempt_;
  Timer lookup_late_;
  Timer beat_due_;   // the next one is to be published
  Timer beat_late_;  // the one under way has not been seen
  Timer give_up_;    // due at once
  Timer ending_late_;
};

}  // namespace proxy
