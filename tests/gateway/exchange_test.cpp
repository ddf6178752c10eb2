#include "gateway/exchange.h"

#include <deque>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "tests/fakes/room_member.h"

using namespace gateway;
using tests::frame;

namespace {

// A worker that the test is.
class Told final : public WorkerPort {
 public:
  bool full = false;
  std::deque<ToWorker> letters;

  bool post(ToWorker letter) override {
    if (full && std::holds_alternative<Publication>(letter)) return false;
    letters.push_back(std::move(letter));
    return true;
  }

  template <typename Letter>
  Letter next() {
    REQUIRE_FALSE(letters.empty());
    REQUIRE(std::holds_alternative<Letter>(letters.front()));
    auto letter = std::get<Letter>(std::move(letters.front()));
    letters.pop_front();
    return letter;
  }
};

struct TwoWorkers {
  Exchange exchange;
  Told told[2];
  TwoWorkers() {
    for (auto& worker : told) exchange.add_worker(worker);
  }

  ExchangeRoomId subscribe(unsigned worker, WorkerRoomId room, std::string_view key) {
    exchange.post(Subscribe{worker, room, std::string(key)});
    const auto answer = told[worker].next<Subscribed>();
    CHECK(answer.room == room);
    CHECK(answer.confirmed);
    return answer.exchange_room;
  }
  void unsubscribe(unsigned worker, WorkerRoomId room, std::string_view key) {
    exchange.post(Unsubscribe{worker, room, std::string(key)});
  }
  void publish(ExchangeRoomId room, std::string_view octets) {
    exchange.post(Publish{room, frame(octets)});
  }
  void hears(unsigned worker, WorkerRoomId room, std::string_view octets) {
    const auto publication = told[worker].next<Publication>();
    CHECK(publication.room == room);
    CHECK(*publication.frame == octets);
  }
};

constexpr WorkerRoomId first{1, 1}, second{2, 1}, again{1, 2};

}  // namespace

TEST_SUITE("exchange") {
  TEST_CASE("what nobody here published goes to all members, and to nobody where there are none") {
    TwoWorkers workers;
    workers.subscribe(0, first, "r");
    workers.subscribe(1, second, "r");
    std::vector<Exchange::Reached> reached;
    for (const auto* key : {"r", "empty"}) {
      workers.exchange.publish(key, frame("1"),
                               [&](Exchange::Reached who) { reached.push_back(who); });
    }
    CHECK(reached == std::vector(2, Exchange::Reached::Everyone));
    workers.hears(0, first, "1");
    workers.hears(1, second, "1");
    CHECK(workers.told[0].letters.empty());
    CHECK_FALSE(workers.exchange.refuses());
  }

  TEST_CASE("a publication goes once to each worker with members, and shares its octets") {
    TwoWorkers workers;
    const auto room = workers.subscribe(0, first, "r");
    CHECK(workers.subscribe(1, second, "r") == room);
    workers.publish(room, "1");
    const auto left = workers.told[0].next<Publication>();
    const auto right = workers.told[1].next<Publication>();
    CHECK(left.room == first);
    CHECK(right.room == second);
    CHECK(left.frame == right.frame);
    CHECK(workers.told[0].letters.empty());
    CHECK(workers.told[1].letters.empty());
  }

  TEST_CASE("a worker without members of that room hears nothing of it") {
    TwoWorkers workers;
    const auto room = workers.subscribe(0, first, "r");
    workers.subscribe(1, first, "other");
    workers.publish(room, "1");
    workers.hears(0, first, "1");
    CHECK(workers.told[1].letters.empty());
  }

  TEST_CASE("a key reaches who is in that room, and nobody when nobody is") {
    TwoWorkers workers;
    workers.exchange.post(Publish{std::string("r"), frame("0")});
    workers.subscribe(1, first, "r");
    workers.exchange.post(Publish{std::string("r"), frame("1")});
    workers.hears(1, first, "1");
    CHECK(workers.exchange.rooms() == 1);
  }

  TEST_CASE("a room is there as long as a worker is subscribed") {
    TwoWorkers workers;
    const auto room = workers.subscribe(0, first, "r");
    workers.subscribe(1, second, "r");
    workers.unsubscribe(0, first, "r");
    CHECK(workers.exchange.rooms() == 1);
    workers.publish(room, "1");
    CHECK(workers.told[0].letters.empty());
    workers.hears(1, second, "1");
    workers.unsubscribe(1, second, "r");
    CHECK(workers.exchange.rooms() == 0);
  }

  TEST_CASE("what names a room that is gone reaches nobody, also when its key is back") {
    TwoWorkers workers;
    const auto before = workers.subscribe(0, first, "r");
    workers.unsubscribe(0, first, "r");
    const auto after = workers.subscribe(0, again, "r");
    CHECK(before != after);
    workers.publish(before, "1");
    CHECK(workers.told[0].letters.empty());
    workers.publish(after, "2");
    workers.hears(0, again, "2");
  }

  TEST_CASE("no room is no number") {
    TwoWorkers workers;
    workers.publish({}, "1");
    workers.subscribe(0, first, "r");
    workers.publish({}, "2");
    workers.publish({1'000, 1}, "3");
    CHECK(workers.told[0].letters.empty());
  }

  TEST_CASE("unsubscribing twice, or from what never was, changes nothing") {
    TwoWorkers workers;
    workers.unsubscribe(0, first, "r");
    const auto room = workers.subscribe(0, first, "r");
    workers.unsubscribe(0, second, "r");
    workers.unsubscribe(1, first, "r");
    workers.publish(room, "1");
    workers.hears(0, first, "1");
  }
}

TEST_SUITE("a worker whose inbox is full") {
  TEST_CASE("it is told once, gets nothing more of that room, and all of it is counted") {
    TwoWorkers workers;
    const auto room = workers.subscribe(0, first, "r");
    workers.subscribe(1, second, "r");
    workers.told[1].full = true;
    workers.publish(room, "1");
    workers.publish(room, "2");
    workers.told[1].full = false;
    workers.publish(room, "3");
    for (const char* octets : {"1", "2", "3"}) workers.hears(0, first, octets);
    CHECK(workers.told[1].next<Starved>().room == second);
    CHECK(workers.told[1].letters.empty());
    CHECK(workers.exchange.dropped() == 3);
  }

  TEST_CASE("its other rooms go on, and the room too once it has subscribed again") {
    TwoWorkers workers;
    const auto room = workers.subscribe(0, first, "r");
    const auto other = workers.subscribe(0, second, "other");
    workers.told[0].full = true;
    workers.publish(room, "1");
    workers.told[0].full = false;
    CHECK(workers.told[0].next<Starved>().room == first);
    workers.publish(other, "2");
    workers.hears(0, second, "2");
    workers.unsubscribe(0, first, "r");
    workers.publish(workers.subscribe(0, again, "r"), "3");
    workers.hears(0, again, "3");
  }

  TEST_CASE("what its members still say reaches the others") {
    TwoWorkers workers;
    const auto room = workers.subscribe(0, first, "r");
    workers.told[0].full = true;
    workers.publish(room, "1");
    workers.subscribe(1, second, "r");
    workers.publish(room, "2");
    workers.hears(1, second, "2");
  }
}
