#include "gateway/rooms.h"

#include <deque>
#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/exchange.h"
#include "gateway/room_key.h"
#include "tests/fakes/room_member.h"

using namespace gateway;
using tests::frame;
using tests::RoomMember;
using Heard = std::vector<std::string>;

namespace {

// An Exchange that the test is: it reads what a worker says, and answers when it likes.
class Asked final : public ExchangePort {
 public:
  bool full = false;
  std::deque<ToExchange> letters;

  bool post(ToExchange letter) override {
    if (full && std::holds_alternative<Publish>(letter)) return false;
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

constexpr ExchangeRoomId somewhere{7, 1};

struct OneWorker {
  Asked exchange;
  Rooms rooms{3, exchange};

  void confirm(WorkerRoomId room) { rooms.post(Subscribed{room, somewhere, true}); }
  void refuse(WorkerRoomId room) { rooms.post(Subscribed{room, {}, false}); }
  void publication(WorkerRoomId room, std::string_view octets) {
    rooms.post(Publication{room, frame(octets)});
  }

  // The subscription that the first member of a room made.
  WorkerRoomId asked_for(std::string_view key) {
    const auto letter = exchange.next<Subscribe>();
    CHECK(letter.worker == 3);
    CHECK(letter.key == key);
    return letter.room;
  }
  void gave_up(WorkerRoomId room, std::string_view key) {
    const auto letter = exchange.next<Unsubscribe>();
    CHECK(letter.worker == 3);
    CHECK(letter.room == room);
    CHECK(letter.key == key);
  }

  // A room with `member` in it.
  WorkerRoomId open(std::string_view key, Rooms::Member& member) {
    CHECK(rooms.join(member, key) == Rooms::Join::Pending);
    const auto room = asked_for(key);
    confirm(room);
    return room;
  }
};

// Worker 0: the Exchange is on the same thread, and answers within the call.
struct WorkerZero {
  Exchange exchange;
  Rooms rooms{0, exchange};
  WorkerZero() { exchange.add_worker(rooms); }
};

void publish(Rooms& rooms, const Rooms::Member& member, std::string_view key,
             std::string_view octets) {
  const auto* membership = rooms.find(member, key);
  REQUIRE(membership);
  CHECK(rooms.publish(*membership, frame(octets)));
}

}  // namespace

TEST_SUITE("the key of a room") {
  TEST_CASE("it is the channel of CONTRACT section 7 without the prefix") {
    CHECK(room_key("", "news") == "room:news");
    CHECK(room_key("a-1", "news") == "space:a-1:room:news");
  }

  TEST_CASE("no room of one space has the key of a room of another") {
    CHECK(room_key("", "space:a:room:news") == "room:space:a:room:news");
    CHECK(room_key("a", "b:room:c") == "space:a:room:b:room:c");
  }

  TEST_CASE("the room can be told from it again") {
    for (const auto* room : {"news", "space:a:room:news", "room:x", ":"}) {
      CHECK(room_in(room_key("", room)) == room);
      CHECK(room_in(room_key("a-1", room)) == room);
      CHECK(space_in(room_key("", room)).empty());
      CHECK(space_in(room_key("a-1", room)) == "a-1");
    }
  }

  TEST_CASE("a space is a short name that cannot be taken for a part of the key") {
    for (const auto* space : {"", "a", "a-1", "0"}) CHECK(valid_room_space(space));
    for (const auto* space : {"A", "a:b", "a b", "\u00e9", "a_b"}) {
      CHECK_FALSE(valid_room_space(space));
    }
    CHECK(valid_room_space(std::string(64, 'a')));
    CHECK_FALSE(valid_room_space(std::string(65, 'a')));
  }
}

TEST_SUITE("going through the rooms") {
  TEST_CASE("each is at one place with those who have joined, and gives it back") {
    OneWorker worker;
    RoomMember alice, bob, carol;
    worker.rooms.join(alice, "r");
    worker.confirm(worker.asked_for("r"));
    worker.rooms.join(bob, "r");
    worker.rooms.join(carol, "waiting");
    const auto listed = [&] {
      std::vector<std::pair<std::string, std::size_t>> rooms;
      for (std::size_t place = 0; place < worker.rooms.places(); ++place) {
        if (const auto room = worker.rooms.at(place)) rooms.emplace_back(room->key, room->members);
      }
      return rooms;
    };
    using Listed = decltype(listed());
    CHECK(listed() == Listed{{"r", 2}, {"waiting", 0}});
    worker.rooms.leave(alice, "r");
    worker.rooms.leave(bob, "r");
    CHECK(listed() == Listed{{"waiting", 0}});
  }
}

TEST_SUITE("joining") {
  TEST_CASE("the first member subscribes its worker, and all wait for the answer") {
    OneWorker worker;
    RoomMember alice, bob;
    CHECK(worker.rooms.join(alice, "r") == Rooms::Join::Pending);
    CHECK(worker.rooms.join(bob, "r") == Rooms::Join::Pending);
    const auto room = worker.asked_for("r");
    CHECK(worker.exchange.letters.empty());
    CHECK(worker.rooms.members("r") == 0);
    CHECK_FALSE(worker.rooms.find(alice, "r")->joined());

    worker.confirm(room);
    CHECK(alice.take_heard() == Heard{"joined r"});
    CHECK(bob.take_heard() == Heard{"joined r"});
    CHECK(worker.rooms.members("r") == 2);
    CHECK(worker.rooms.find(alice, "r")->joined());
  }

  TEST_CASE("in a room that is subscribed the next one is at once") {
    OneWorker worker;
    RoomMember alice, bob;
    const auto room = worker.open("r", alice);
    alice.take_heard();
    CHECK(worker.rooms.join(bob, "r") == Rooms::Join::Joined);
    CHECK(bob.heard.empty());
    CHECK(worker.exchange.letters.empty());
    worker.publication(room, "1");
    CHECK(alice.take_heard() == Heard{"1"});
    CHECK(bob.take_heard() == Heard{"1"});
  }

  TEST_CASE("joining twice changes nothing") {
    OneWorker worker;
    RoomMember alice;
    CHECK(worker.rooms.join(alice, "r") == Rooms::Join::Pending);
    CHECK(worker.rooms.join(alice, "r") == Rooms::Join::Pending);
    const auto room = worker.asked_for("r");
    worker.confirm(room);
    CHECK(worker.rooms.join(alice, "r") == Rooms::Join::Joined);
    CHECK(alice.memberships().size() == 1);
    alice.take_heard();
    worker.publication(room, "1");
    CHECK(alice.take_heard() == Heard{"1"});
  }

  TEST_CASE("whoever waits hears nothing of the room") {
    OneWorker worker;
    RoomMember alice;
    worker.rooms.join(alice, "r");
    const auto room = worker.asked_for("r");
    worker.publication(room, "before");
    CHECK(alice.heard.empty());
    worker.confirm(room);
    worker.publication(room, "after");
    CHECK(alice.heard == Heard{"joined r", "after"});
  }

  TEST_CASE("a refused subscription takes all who wait out of the room") {
    OneWorker worker;
    RoomMember alice, bob;
    worker.rooms.join(alice, "r");
    worker.rooms.join(bob, "r");
    const auto room = worker.asked_for("r");
    worker.refuse(room);
    CHECK(alice.take_heard() == Heard{"refused r"});
    CHECK(bob.take_heard() == Heard{"refused r"});
    CHECK(alice.memberships().empty());
    CHECK(worker.rooms.rooms() == 0);
    CHECK(worker.exchange.letters.empty());  // there is nothing to unsubscribe from
    CHECK(worker.rooms.join(alice, "r") == Rooms::Join::Pending);
    CHECK(worker.asked_for("r") != room);
  }

  TEST_CASE("one that is refused at once was never in") {
    struct Refusing final : ExchangePort {
      Rooms* rooms = nullptr;
      bool post(ToExchange letter) override {
        rooms->post(Subscribed{std::get<Subscribe>(letter).room, {}, false});
        return true;
      }
    } exchange;
    Rooms rooms(0, exchange);
    exchange.rooms = &rooms;
    RoomMember alice;
    CHECK(rooms.join(alice, "r") == Rooms::Join::Refused);
    CHECK(alice.heard.empty());
    CHECK(alice.memberships().empty());
    CHECK(rooms.rooms() == 0);
  }
}

TEST_SUITE("leaving") {
  TEST_CASE("the last member unsubscribes the worker, the one before does not") {
    OneWorker worker;
    RoomMember alice, bob;
    const auto room = worker.open("r", alice);
    worker.rooms.join(bob, "r");
    worker.rooms.leave(alice, "r");
    CHECK(worker.exchange.letters.empty());
    CHECK(worker.rooms.members("r") == 1);
    worker.rooms.leave(bob, "r");
    worker.gave_up(room, "r");
    CHECK(worker.rooms.rooms() == 0);
  }

  TEST_CASE("who has left hears nothing any more") {
    OneWorker worker;
    RoomMember alice, bob;
    const auto room = worker.open("r", alice);
    worker.rooms.join(bob, "r");
    worker.rooms.leave(alice, "r");
    alice.take_heard();
    worker.publication(room, "1");
    CHECK(alice.heard.empty());
    CHECK(bob.heard == Heard{"1"});
  }

  TEST_CASE("leaving a room that one is not in changes nothing") {
    OneWorker worker;
    RoomMember alice, bob;
    worker.open("r", alice);
    worker.rooms.leave(bob, "r");
    worker.rooms.leave(alice, "other");
    CHECK(worker.exchange.letters.empty());
    CHECK(worker.rooms.members("r") == 1);
  }

  TEST_CASE("a pending join is given up, and its answer comes to nobody") {
    OneWorker worker;
    RoomMember alice;
    worker.rooms.join(alice, "r");
    const auto room = worker.asked_for("r");
    worker.rooms.leave(alice, "r");
    worker.gave_up(room, "r");
    worker.confirm(room);
    worker.publication(room, "1");
    CHECK(alice.heard.empty());
    CHECK(worker.rooms.rooms() == 0);
  }

  TEST_CASE("one that is destroyed has left all its rooms, also those it waits for") {
    OneWorker worker;
    auto alice = std::make_unique<RoomMember>();
    RoomMember bob;
    const auto shared = worker.open("shared", *alice);
    worker.rooms.join(bob, "shared");
    const auto own = worker.open("own", *alice);
    worker.rooms.join(*alice, "waited for");
    const auto waited_for = worker.asked_for("waited for");
    alice.reset();
    worker.gave_up(waited_for, "waited for");
    worker.gave_up(own, "own");
    CHECK(worker.exchange.letters.empty());
    worker.confirm(waited_for);
    worker.publication(own, "1");
    worker.publication(shared, "2");
    CHECK(bob.heard == Heard{"2"});
    CHECK(worker.rooms.rooms() == 1);
  }

  TEST_CASE("a membership can be left without its key, and its place is its successor's") {
    OneWorker worker;
    RoomMember alice;
    for (const char* key : {"a", "b", "c"}) worker.open(key, alice);
    worker.rooms.leave(alice, alice.memberships()[0]);
    REQUIRE(alice.memberships().size() == 2);
    CHECK(alice.memberships()[0].key() == "c");
    CHECK(alice.memberships()[1].key() == "b");
    CHECK(worker.rooms.find(alice, "a") == nullptr);
    CHECK(worker.rooms.find(alice, "b") == &alice.memberships()[1]);
    CHECK(worker.rooms.find(alice, "c") == &alice.memberships()[0]);
    worker.rooms.leave(alice, alice.memberships()[1]);
    worker.rooms.leave(alice, "c");
    CHECK(worker.rooms.rooms() == 0);
  }

  TEST_CASE("at the end of the process nothing is said any more") {
    OneWorker worker;
    RoomMember alice;
    worker.open("r", alice);
    worker.rooms.stop();
    worker.rooms.leave_all(alice);
    CHECK(worker.exchange.letters.empty());
    CHECK(worker.rooms.rooms() == 0);
  }

  TEST_CASE("whoever is left gets each publication once, in whatever order the others leave") {
    OneWorker worker;
    constexpr std::size_t many = 200;
    std::vector<std::unique_ptr<RoomMember>> members;
    std::mt19937 random(1);
    WorkerRoomId room;
    for (std::size_t i = 0; i < many; ++i) {
      members.push_back(std::make_unique<RoomMember>());
      // In other rooms too, so that a place in one list is not that in the other.
      for (std::size_t other = random() % 4; other > 0; --other) {
        worker.rooms.join(*members[i], "other-" + std::to_string(other));
      }
      worker.rooms.join(*members[i], "r");
      while (!worker.exchange.letters.empty()) {
        const auto letter = worker.exchange.next<Subscribe>();
        if (letter.key == "r") room = letter.room;
        worker.confirm(letter.room);
      }
    }
    while (!members.empty()) {
      for (auto& member : members) member->take_heard();
      worker.publication(room, "1");
      for (auto& member : members) REQUIRE(member->heard == Heard{"1"});
      std::swap(members[random() % members.size()], members.back());
      if (random() % 2 == 0) worker.rooms.leave(*members.back(), "r");
      members.pop_back();
    }
    CHECK(worker.rooms.rooms() == 0);
  }
}

TEST_SUITE("a room dies and comes back") {
  TEST_CASE("the answer to its first life does not confirm its second") {
    OneWorker worker;
    RoomMember alice;
    worker.rooms.join(alice, "r");
    const auto first = worker.asked_for("r");
    worker.rooms.leave(alice, "r");
    worker.gave_up(first, "r");
    worker.rooms.join(alice, "r");
    const auto second = worker.asked_for("r");
    CHECK(second != first);

    worker.confirm(first);
    worker.publication(first, "between two lives");
    CHECK(alice.heard.empty());
    worker.confirm(second);
    worker.publication(first, "between two lives");
    worker.publication(second, "1");
    CHECK(alice.heard == Heard{"joined r", "1"});
  }

  TEST_CASE("a refusal of its first life does not end its second") {
    OneWorker worker;
    RoomMember alice;
    worker.rooms.join(alice, "r");
    const auto first = worker.asked_for("r");
    worker.rooms.leave(alice, "r");
    worker.gave_up(first, "r");
    worker.rooms.join(alice, "r");
    const auto second = worker.asked_for("r");
    worker.refuse(first);
    worker.rooms.post(Starved{first});
    worker.confirm(second);
    CHECK(alice.heard == Heard{"joined r"});
  }
}

TEST_SUITE("publishing") {
  TEST_CASE("a member's publication names the Exchange's room, anybody else's the key") {
    OneWorker worker;
    RoomMember alice;
    worker.open("r", alice);
    publish(worker.rooms, alice, "r", "1");
    const auto by_member = worker.exchange.next<Publish>();
    CHECK(std::get<ExchangeRoomId>(by_member.room) == somewhere);
    CHECK(*by_member.frame == "1");

    CHECK(worker.rooms.publish("elsewhere", frame("2")));
    const auto by_other = worker.exchange.next<Publish>();
    CHECK(std::get<std::string>(by_other.room) == "elsewhere");
    CHECK(*by_other.frame == "2");
  }

  TEST_CASE("it says when the Exchange has too much waiting") {
    OneWorker worker;
    RoomMember alice;
    worker.open("r", alice);
    worker.exchange.full = true;
    CHECK_FALSE(worker.rooms.publish(*worker.rooms.find(alice, "r"), frame("1")));
    CHECK_FALSE(worker.rooms.publish("r", frame("2")));
    worker.rooms.leave_all(alice);
    CHECK(worker.exchange.letters.size() == 1);  // control letters are not refused
  }
}

TEST_SUITE("finding a membership") {
  TEST_CASE("whether the room or the member has the longer list") {
    OneWorker worker;
    RoomMember busy, other;
    std::vector<std::unique_ptr<RoomMember>> crowd;
    worker.open("crowded", busy);
    for (int i = 0; i < 50; ++i) {
      crowd.push_back(std::make_unique<RoomMember>());
      worker.rooms.join(*crowd.back(), "crowded");
    }
    CHECK(worker.rooms.find(busy, "crowded") == &busy.memberships()[0]);
    CHECK(worker.rooms.find(other, "crowded") == nullptr);
    for (int i = 0; i < 50; ++i) worker.open("quiet-" + std::to_string(i), busy);
    CHECK(worker.rooms.find(busy, "quiet-20") == &busy.memberships()[21]);
    CHECK(worker.rooms.find(*crowd[10], "quiet-20") == nullptr);
    CHECK(worker.rooms.find(*crowd[10], "crowded") == &crowd[10]->memberships()[0]);
    CHECK(worker.rooms.find(busy, "unknown") == nullptr);
  }
}

TEST_SUITE("whoever is told may do anything") {
  TEST_CASE("the first to hear that it joined takes the next one out") {
    OneWorker worker;
    RoomMember alice, bob, carol;
    for (auto* member : {&alice, &bob, &carol}) worker.rooms.join(*member, "r");
    alice.when_told = [&] { worker.rooms.leave(bob, "r"); };
    const auto room = worker.asked_for("r");
    worker.confirm(room);
    worker.publication(room, "1");
    CHECK(alice.heard == Heard{"joined r", "1"});
    CHECK(bob.heard.empty());
    CHECK(carol.heard == Heard{"joined r", "1"});
  }

  TEST_CASE("all leave as they hear it, and the room is gone") {
    OneWorker worker;
    RoomMember alice, bob;
    for (auto* member : {&alice, &bob}) {
      worker.rooms.join(*member, "r");
      member->when_told = [&worker, member] { worker.rooms.leave_all(*member); };
    }
    const auto room = worker.asked_for("r");
    worker.confirm(room);
    CHECK(alice.heard == Heard{"joined r"});
    CHECK(bob.heard == Heard{"joined r"});
    worker.gave_up(room, "r");
    CHECK(worker.rooms.rooms() == 0);
  }

  TEST_CASE("the last one leaves and joins again: that is another life, to be confirmed") {
    OneWorker worker;
    RoomMember alice;
    worker.rooms.join(alice, "r");
    const auto first = worker.asked_for("r");
    alice.when_told = [&] {
      worker.rooms.leave(alice, "r");
      CHECK(worker.rooms.join(alice, "r") == Rooms::Join::Pending);
    };
    worker.confirm(first);
    alice.when_told = [] {};
    worker.gave_up(first, "r");
    const auto second = worker.asked_for("r");
    CHECK_FALSE(alice.memberships()[0].joined());
    worker.publication(first, "1");
    worker.confirm(second);
    CHECK(alice.heard == Heard{"joined r", "joined r"});
  }

  TEST_CASE("one that joins meanwhile is in, and those who wait are told once") {
    OneWorker worker;
    RoomMember alice, bob, carol;
    worker.rooms.join(alice, "r");
    worker.rooms.join(bob, "r");
    alice.when_told = [&] { CHECK(worker.rooms.join(carol, "r") == Rooms::Join::Joined); };
    const auto room = worker.asked_for("r");
    worker.confirm(room);
    worker.publication(room, "1");
    CHECK(alice.heard == Heard{"joined r", "1"});
    CHECK(bob.heard == Heard{"joined r", "1"});
    CHECK(carol.heard == Heard{"1"});
  }

  TEST_CASE("what it says to the room at once is not for those who have not been told yet") {
    // The room as the Exchange's own thread has it: a publication comes back within the call.
    struct Late final : ExchangePort {
      Rooms* rooms = nullptr;
      WorkerRoomId room;
      bool post(ToExchange letter) override {
        if (const auto* subscribe = std::get_if<Subscribe>(&letter)) room = subscribe->room;
        if (const auto* publish = std::get_if<Publish>(&letter)) {
          rooms->post(Publication{room, publish->frame});
        }
        return true;
      }
    } exchange;
    Rooms rooms(0, exchange);
    exchange.rooms = &rooms;
    RoomMember alice, bob;
    rooms.join(alice, "r");
    rooms.join(bob, "r");
    alice.when_told = [&] { publish(rooms, alice, "r", "hello"); };
    rooms.post(Subscribed{exchange.room, somewhere, true});
    CHECK(alice.heard == Heard{"joined r", "hello"});
    CHECK(bob.heard == Heard{"joined r"});
  }

  TEST_CASE("one of those refused is destroyed by the one before") {
    OneWorker worker;
    RoomMember alice;
    auto bob = std::make_unique<RoomMember>();
    worker.rooms.join(*bob, "r");
    worker.rooms.join(alice, "r");
    alice.when_told = [&] { bob.reset(); };  // the last to join is told first
    worker.refuse(worker.asked_for("r"));
    CHECK(alice.heard == Heard{"refused r"});
    CHECK(bob == nullptr);
    CHECK(worker.exchange.letters.empty());
    CHECK(worker.rooms.rooms() == 0);
  }
}

TEST_SUITE("a worker that reads too slowly") {
  TEST_CASE("its members are told and out, and the worker unsubscribes") {
    OneWorker worker;
    RoomMember alice, bob;
    const auto room = worker.open("r", alice);
    worker.rooms.join(bob, "r");
    worker.open("other", alice);
    worker.rooms.post(Starved{room});
    worker.gave_up(room, "r");
    CHECK(alice.take_heard() == Heard{"joined r", "joined other", "starved r"});
    CHECK(bob.take_heard() == Heard{"starved r"});
    CHECK(bob.memberships().empty());
    CHECK(worker.rooms.find(alice, "r") == nullptr);
    CHECK(worker.rooms.find(alice, "other") != nullptr);
    worker.publication(room, "1");
    CHECK(bob.heard.empty());
  }

  TEST_CASE("whoever joins again does so by a new subscription") {
    OneWorker worker;
    RoomMember alice;
    const auto first = worker.open("r", alice);
    alice.when_told = [&] { CHECK(worker.rooms.join(alice, "r") == Rooms::Join::Pending); };
    worker.rooms.post(Starved{first});
    alice.when_told = [] {};
    worker.gave_up(first, "r");
    const auto second = worker.asked_for("r");
    worker.confirm(second);
    worker.publication(first, "old");
    worker.publication(second, "new");
    CHECK(alice.heard == Heard{"joined r", "starved r", "joined r", "new"});
  }

  TEST_CASE("one that is told may end another that is not told yet") {
    OneWorker worker;
    RoomMember alice;
    auto bob = std::make_unique<RoomMember>();
    const auto room = worker.open("r", *bob);
    worker.rooms.join(alice, "r");
    alice.when_told = [&] { bob.reset(); };
    worker.rooms.post(Starved{room});
    worker.gave_up(room, "r");
    CHECK(worker.exchange.letters.empty());
    CHECK(alice.heard == Heard{"starved r"});
    CHECK(bob == nullptr);
  }
}

TEST_SUITE("the worker of the Exchange") {
  TEST_CASE("a join is answered at once, and a publication is there when publish() returns") {
    WorkerZero worker;
    RoomMember alice, bob;
    CHECK(worker.rooms.join(alice, "r") == Rooms::Join::Joined);
    CHECK(worker.rooms.join(bob, "r") == Rooms::Join::Joined);
    CHECK(alice.heard.empty());
    publish(worker.rooms, alice, "r", "1");
    CHECK(alice.heard == Heard{"1"});
    CHECK(bob.heard == Heard{"1"});
    CHECK(worker.rooms.publish("r", frame("2")));
    CHECK(bob.heard == Heard{"1", "2"});
  }

  TEST_CASE("when all have left, the room is gone from both") {
    WorkerZero worker;
    RoomMember alice;
    worker.rooms.join(alice, "r");
    CHECK(worker.exchange.rooms() == 1);
    worker.rooms.leave(alice, "r");
    CHECK(worker.exchange.rooms() == 0);
    CHECK(worker.rooms.rooms() == 0);
    CHECK(worker.rooms.publish("r", frame("1")));  // to nobody
    CHECK(alice.heard.empty());
  }
}
