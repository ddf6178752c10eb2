#include "gateway/exchange.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace gateway {

bool Exchange::post(ToExchange letter) {
  std::visit([this](const auto& received) { read(received); }, letter);
  return true;
}

void Exchange::read(const Subscribe& letter) {
  Room& room = *rooms_.find_or_add(letter.key).first;
  room.subscribers.push_back({letter.worker, letter.room});
  // Last: a worker on this thread may answer with letters of its own at once, and end the room.
  workers_[letter.worker]->post(Subscribed{letter.room, room.id, true});
}

void Exchange::read(const Unsubscribe& letter) {
  Room* room = rooms_.find(letter.key);
  if (!room) return;
  std::erase_if(room->subscribers, [&](const Subscriber& subscriber) {
    return subscriber.worker == letter.worker && subscriber.room == letter.room;
  });
  if (room->subscribers.empty()) rooms_.take(*room);
}

void Exchange::read(const Publish& letter) {
  Room* room = std::visit([this](const auto& which) { return rooms_.find(which); }, letter.room);
  if (room) deliver(*room, letter.frame);
}

// A worker on this thread only queues what it gets: the list stays as it is meanwhile.
void Exchange::deliver(Room& room, const proxy::SharedOctets& frame) {
  for (Subscriber& subscriber : room.subscribers) {
    if (!subscriber.starved &&
        workers_[subscriber.worker]->post(Publication{subscriber.room, frame})) {
      continue;
    }
    dropped_.fetch_add(1, std::memory_order_relaxed);
    if (!subscriber.starved) starve(subscriber);
  }
}

// Told once: what a worker that does not read is told must not pile up either.
void Exchange::starve(Subscriber& subscriber) {
  subscriber.starved = true;
  workers_[subscriber.worker]->post(Starved{subscriber.room});
}

}  // namespace gateway
