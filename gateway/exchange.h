// The rooms of an instance across its workers: which workers have members of a room, and the one
// order of a room's publications, which is the order in which they come in here.
//
// One per instance, on worker 0's thread alone. That worker's Rooms and it call each other; with
// the others each talks through an Inbox.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "gateway/room_letters.h"
#include "gateway/room_table.h"
#include "proxy/octets.h"

namespace gateway {

class Exchange final : public ExchangePort {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The next worker, from 0 on; before any of them runs. The port outlives the last letter.
  void add_worker(WorkerPort& port) { workers_.push_back(&port); }

  bool post(ToExchange letter) override;  // from a worker

  std::size_t rooms() const { return rooms_.size(); }

  // Publications that a worker did not get because its inbox was full. From any thread.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  // A worker with members. `room`: what they are for it.
  struct Subscriber {
    unsigned worker;
    WorkerRoomId room;
    bool starved = false;
  };

  struct Room : TabledRoom<Exchange> {
    std::vector<Subscriber> subscribers;
  };

  void read(const Subscribe& letter);
  void read(const Unsubscribe& letter);
  void read(const Publish& letter);

  void deliver(Room& room, const proxy::SharedOctets& frame);
  void starve(Subscriber& subscriber);

  std::vector<WorkerPort*> workers_;
  RoomTable<Room, Exchange> rooms_;
  std::atomic<std::uint64_t> dropped_ = 0;
};

}  // namespace gateway
