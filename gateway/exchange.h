// The rooms of an instance across its workers: which workers have members of a room, and the one
// order of a room's publications.
//
// Alone, that order is the one in which they come in here. With a bus it is the bus's, for all
// instances: a publication goes out there and comes back to its own instance too (CONTRACT section
// 7). While the bus is away the instance is alone, or refuses joins and publications.
//
// One per instance, on worker 0's thread alone. That worker's Rooms and it call each other; with
// the others each talks through an Inbox.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/audit.h"
#include "gateway/envelope.h"
#include "gateway/policy.h"
#include "gateway/room_letters.h"
#include "gateway/room_table.h"
#include "proxy/bus.h"
#include "proxy/counter.h"
#include "proxy/octets.h"

namespace gateway {

// CONTRACT section 7: of the JSON text of a message on the bus.
inline constexpr std::size_t bus_text_octets_max = 1024 * 1024;

class Exchange final : public ExchangePort, private proxy::Bus::Observer {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The next worker, from 0 on; before any of them runs. The port outlives the last letter.
  void add_worker(WorkerPort& port) { workers_.push_back(&port); }

  // From here on rooms reach other instances. Once, after the last worker and before any of them
  // runs; `bus` and `audit` outlive the last letter. `prefix`: of a channel, before ':' and the
  // key.
  void join_bus(proxy::Bus& bus, std::string_view prefix, WhenDown when_down, Audit& audit);

  bool post(ToExchange letter) override;  // from a worker

  // Of a publication that is nobody's on this instance: whom it reached.
  enum class Reached : std::uint8_t {
    Everyone,      // in the room, on all instances
    ThisInstance,  // those here: the others cannot be reached
    Nobody,        // as far as is known
  };
  using Answer = std::move_only_function<void(Reached)>;

  // Called on the Exchange's own thread, and answers there, within the call or later.
  void publish(std::string_view key, proxy::SharedOctets frame, Answer answer);

  // From any thread.
  std::size_t rooms() const { return static_cast<std::size_t>(counts_.rooms.value()); }

  // From any thread. Publications by this instance; texts that came over the bus as messages of
  // their channel's room, the instance's own among them.
  std::uint64_t published() const { return counts_.published.value(); }
  std::uint64_t received() const { return counts_.received.value(); }

  // From any thread. The bus is away, and joins and publications are refused until it is back.
  bool refuses() const { return refuses_.load(std::memory_order_relaxed); }

  // From any thread. Publications that a worker did not get because its inbox was full; that were
  // not handed out, or not known to have been, since the bus was away; and texts that came over the
  // bus and are no message of their channel's room.
  std::uint64_t dropped() const { return counts_.dropped.value(); }
  std::uint64_t lost() const { return counts_.lost.value(); }
  std::uint64_t invalid() const { return counts_.invalid.value(); }

  // From any thread; with a bus. Whether it is there, since when it was not there the last time,
  // and how often it has come back, the first time included.
  bool bus_up() const { return counts_.bus_up.value() == 1; }
  std::chrono::milliseconds bus_away_since() const {  // Unix time
    return std::chrono::milliseconds(counts_.bus_away_since_ms.value());
  }
  std::uint64_t bus_returns() const { return counts_.bus_returns.value(); }

 private:
  // A worker with members. `room`: what they are for it.
  struct Subscriber {
    unsigned worker;
    WorkerRoomId room;
    bool starved = false;
  };

  struct Room : TabledRoom<Exchange> {
    std::vector<Subscriber> subscribers;
    bool confirmed = false;  // its subscribers have been told so
  };

  // Who is told what became of a publication on the bus; nobody, where it is neither.
  struct Unanswered {
    std::unique_ptr<Publisher> publisher;  // is told of a loss
    std::unique_ptr<Answer> answer;
  };

  // What there is only with a bus.
  struct Outside {
    Outside(proxy::Bus& bus_of_all, std::string_view prefix, WhenDown when, Audit& log)
        : bus(bus_of_all), channel_prefix(prefix), when_down(when), audit(log) {
      channel_prefix += ':';
    }
    std::string channel(std::string_view key) const { return channel_prefix + std::string(key); }

    proxy::Bus& bus;
    std::string channel_prefix;  // with its ':'
    const WhenDown when_down;
    Audit& audit;
    EnvelopeReader reader;
    std::string padded;                  // what it reads
    std::deque<ExchangeRoomId> pending;  // in the order in which they were asked for
    std::deque<Unanswered> unanswered;   // one for each publish() that was taken
  };

  void read(const Subscribe& letter);
  void read(const Unsubscribe& letter);
  void read(Publish& letter);

  void on_subscribed(std::string_view channel, bool confirmed) override;
  void on_publication(std::string_view channel, std::string_view text) override;
  void on_published(bool arrived) override;
  void on_away(std::string_view reason) override;
  void on_back() override;

  bool refusing() const;
  void set_refusing(bool on);
  void note_away();
  Room* room_on(std::string_view channel) const;
  void confirm(Room& room);
  std::unique_ptr<Room> end(Room& room);
  void refuse(Room& room);
  void settle_pending();
  void forget_settled();
  bool is_message(std::string_view room, std::string_view text);
  bool alone() const;
  void publish(const Room* room, Publish& letter);
  bool send(std::string_view key, std::string_view frame);
  void lose(std::unique_ptr<Publisher> publisher);

  void deliver(Room& room, const proxy::SharedOctets& frame);
  void starve(Subscriber& subscriber);

  std::vector<WorkerPort*> workers_;
  RoomTable<Room, Exchange> rooms_;
  std::unique_ptr<Outside> outside_;  // null: there is no bus
  std::atomic<bool> refuses_ = false;
  struct Counts {
    proxy::Gauge rooms;
    proxy::Counter published;
    proxy::Counter received;
    proxy::Counter dropped;
    proxy::Counter lost;
    proxy::Counter invalid;
    proxy::Gauge bus_up;
    proxy::Gauge bus_away_since_ms;
    proxy::Counter bus_returns;
  } counts_;
};

}  // namespace gateway
