// What the rooms of a worker and the Exchange of the instance say to each other.
//
// Letters of one sender are read in the order posted, and each end counts on it: a worker's
// publications to a room come between its Subscribe and its Unsubscribe, and what the Exchange
// sends of a room comes after its Subscribed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "gateway/room_table.h"
#include "proxy/octets.h"
#include "proxy/timers.h"

namespace gateway {

class Rooms;
class Exchange;

using WorkerRoomId = RoomId<Rooms>;  // a room with members on one worker, as long as it has any
using ExchangeRoomId = RoomId<Exchange>;  // a room with members anywhere in the instance

// The worker has its first member of a room; answered by Subscribed.
struct Subscribe {
  unsigned worker;
  WorkerRoomId room;
  std::string key;
};

// The last member is gone, also if there was no answer yet.
struct Unsubscribe {
  unsigned worker;
  WorkerRoomId room;
  std::string key;
};

// Who is told where a publication is lost on the way.
struct Publisher {
  unsigned worker;
  std::uint64_t member;  // a number that its worker knows it by
  std::string key;       // of the room
  std::string id;        // of the client's message, as its answer says it
};

// To a room that its worker is subscribed to, or to whoever is in the room of a key.
struct Publish {
  std::variant<ExchangeRoomId, std::string> room;
  proxy::SharedOctets frame;
  std::unique_ptr<Publisher> publisher = nullptr;  // null: nobody is told
};

using ToExchange = std::variant<Subscribe, Unsubscribe, Publish>;

struct Subscribed {
  WorkerRoomId room;
  ExchangeRoomId exchange_room;
  bool confirmed;  // false: there is no subscription, and `exchange_room` is none
};

struct Publication {
  WorkerRoomId room;
  proxy::SharedOctets frame;
  proxy::MonotonicTime since{};  // when the Exchange handed it out
};

// A publication to this room found the worker's inbox full. It was dropped, and so is all that
// comes after it until the worker has unsubscribed.
struct Starved {
  WorkerRoomId room;
};

// Nobody is known to have got this member's publication, and nobody will.
struct Unpublished {
  std::unique_ptr<Publisher> publisher;
};

// Other instances cannot be reached, and the policy would rather have nothing said than to some: no
// joins and no publications from now on, or again.
struct Refusing {
  bool on;
};

using ToWorker = std::variant<Subscribed, Publication, Starved, Unpublished, Refusing>;

// Octets that a publication holds while it waits; of control letters 0. A frame that is shared
// counts for each who waits for it.
inline std::size_t waiting_octets(const ToExchange& letter) {
  const auto* publish = std::get_if<Publish>(&letter);
  if (!publish) return 0;
  const auto* who = publish->publisher.get();
  const std::size_t of_publisher = who ? sizeof *who + who->key.size() + who->id.size() : 0;
  return sizeof letter + publish->frame->size() + of_publisher;
}
inline std::size_t waiting_octets(const ToWorker& letter) {
  const auto* publication = std::get_if<Publication>(&letter);
  return publication ? sizeof letter + publication->frame->size() : 0;
}

// Where letters go: the reader itself where it is on the same thread, else its Inbox.
template <typename Letter>
class Port {
 public:
  // False: it was a publication, too much waits already, and it was dropped. Control letters are
  // never refused.
  virtual bool post(Letter letter) = 0;

 protected:
  ~Port() = default;
};

using ExchangePort = Port<ToExchange>;
using WorkerPort = Port<ToWorker>;

}  // namespace gateway
