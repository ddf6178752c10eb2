// The Exchange with a bus, which the test is.
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/exchange.h"
#include "gateway/rooms.h"
#include "proxy/frame_writer.h"
#include "tests/fakes/room_member.h"
#include "tests/gateway/captured_log.h"

using namespace gateway;
using tests::RoomMember;
using Heard = std::vector<std::string>;

namespace {

struct FakeBus final : proxy::Bus {
  Observer* observer = nullptr;
  bool is_away = true;
  bool will_confirm = false;
  bool full = false;
  std::vector<std::string> asked;

  void start(Observer& told) override { observer = &told; }
  bool away() const override { return is_away; }
  bool confirms() const override { return will_confirm; }
  void subscribe(std::string_view channel) override { asked.push_back("+" + std::string(channel)); }
  void unsubscribe(std::string_view channel) override {
    asked.push_back("-" + std::string(channel));
  }
  bool publish(std::string_view channel, std::string_view text) override {
    if (is_away || full) return false;
    asked.push_back(std::string(channel) + " " + std::string(text));
    return true;
  }

  std::vector<std::string> take() { return std::exchange(asked, {}); }
  void go() {
    is_away = true;
    will_confirm = false;
    observer->on_away("connection_lost");
  }
  void come_back() {
    is_away = false;
    will_confirm = true;
    observer->on_back();
  }
};

// A worker on another thread, so to speak: the test reads its letters.
struct Told final : WorkerPort {
  std::deque<ToWorker> letters;
  bool post(ToWorker letter) override {
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

struct Fixture {
  tests::CapturedLog captured;
  Audit audit{captured.log()};
  FakeBus bus;
  Exchange exchange;
  Rooms rooms{0, exchange, true};
  Told other;
  RoomMember alice;
  RoomMember bob;

  void begin(WhenDown when_down = WhenDown::Local) {
    exchange.add_worker(rooms);
    exchange.add_worker(other);
    exchange.join_bus(bus, "pre", when_down, audit);
    bus.come_back();
    bus.take();
    other.letters.clear();
  }
  void confirm(std::string_view channel, bool confirmed = true) {
    bus.observer->on_subscribed(channel, confirmed);
  }
  void join(RoomMember& member) {
    rooms.join(member, "room:r");
    confirm("pre:room:r");
    bus.take();
    member.take_heard();
  }
  bool publish(RoomMember& member, std::string_view text, std::string_view id = {}) {
    return rooms.publish(*rooms.find(member, "room:r"), framed(text), id);
  }
  static proxy::SharedOctets framed(std::string_view text) {
    return proxy::share(proxy::write_frame(proxy::Role::Server, proxy::Opcode::Text, text));
  }
  static std::string heard(std::string_view text) { return *framed(text); }
};

constexpr auto hi = R"({"type":"message","room":"r","payload":"hi"})";
constexpr WorkerRoomId theirs{5, 1};

}  // namespace

TEST_SUITE("exchange with a bus") {
  TEST_CASE_FIXTURE(Fixture, "a join is answered when the bus has confirmed it, to all who wait") {
    begin();
    CHECK(rooms.join(alice, "room:r") == Rooms::Join::Pending);
    CHECK(rooms.join(bob, "room:r") == Rooms::Join::Pending);
    exchange.post(Subscribe{1, theirs, "room:r"});
    CHECK(bus.take() == Heard{"+pre:room:r"});
    CHECK(alice.heard.empty());
    CHECK(other.letters.empty());
    confirm("pre:room:r");
    CHECK(alice.take_heard() == Heard{"joined room:r"});
    CHECK(bob.take_heard() == Heard{"joined room:r"});
    CHECK(other.next<Subscribed>().confirmed);
  }

  TEST_CASE_FIXTURE(Fixture, "who joins a confirmed room is in it at once") {
    begin();
    join(alice);
    CHECK(rooms.join(bob, "room:r") == Rooms::Join::Joined);
    exchange.post(Subscribe{1, theirs, "room:r"});
    CHECK(other.next<Subscribed>().confirmed);
    CHECK(bus.take().empty());
  }

  TEST_CASE_FIXTURE(Fixture, "the bus is asked no more when the last member of all has left") {
    begin();
    join(alice);
    exchange.post(Subscribe{1, theirs, "room:r"});
    rooms.leave(alice, "room:r");
    CHECK(bus.take().empty());
    exchange.post(Unsubscribe{1, theirs, "room:r"});
    CHECK(bus.take() == Heard{"-pre:room:r"});
  }

  TEST_CASE_FIXTURE(Fixture, "a join that the bus refuses is refused") {
    begin();
    rooms.join(alice, "room:r");
    exchange.post(Subscribe{1, theirs, "room:r"});
    confirm("pre:room:r", false);
    CHECK(alice.take_heard() == Heard{"refused room:r"});
    CHECK_FALSE(other.next<Subscribed>().confirmed);
    CHECK(exchange.rooms() == 0);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "members who are not subscribed again are told that they miss something") {
    begin();
    join(alice);
    exchange.post(Subscribe{1, theirs, "room:r"});
    other.letters.clear();
    confirm("pre:room:r", false);
    CHECK(alice.take_heard() == Heard{"starved room:r"});
    CHECK(other.next<Starved>().room == theirs);
    CHECK(exchange.rooms() == 0);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a publication goes to the bus as text, and to members only from there") {
    begin();
    join(alice);
    CHECK(publish(alice, hi));
    CHECK(bus.take() == Heard{std::string("pre:room:r ") + hi});
    CHECK(alice.heard.empty());
    bus.observer->on_publication("pre:room:r", hi);
    CHECK(alice.take_heard() == Heard{heard(hi)});
    bus.observer->on_published(true);
    CHECK(alice.heard.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "one by a key goes out also where no member is here") {
    begin();
    CHECK(rooms.publish("space:s:room:r", framed(hi)));
    CHECK(bus.take() == Heard{std::string("pre:space:s:room:r ") + hi});
    bus.observer->on_published(false);
    CHECK(exchange.lost() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "of the bus only messages of the channel's own room are heard") {
    begin();
    join(alice);
    for (const std::string text :
         {R"({"type":"message","room":"q"})", R"({"type":"left","room":"r"})", R"({"room":"r"})",
          R"({"type":"message"})", R"({"type":"message","room":"r","room":"r"})",
          R"({"type":"message","room":"r","Type":"left"})",
          R"({"type":"message","room":"r","ROOM":"q"})",
          R"({"type":"message","room":"r","from":"a","From":"b"})",
          R"({"type":"message","room":"r"} x)", R"([{"type":"message","room":"r"}])", R"(x)", R"()",
          "\xEF\xBB\xBF{\"type\":\"message\",\"room\":\"r\"}",
          "{\"type\":\"message\",\"room\":\"r\",\"payload\":\"\xFF\"}"}) {
      CAPTURE(text);
      const auto before = exchange.invalid();
      bus.observer->on_publication("pre:room:r", text);
      CHECK(exchange.invalid() == before + 1);
      CHECK(alice.heard.empty());
    }
    bus.observer->on_publication("pre:room:r", "{ \"room\":\"\\u0072\", \"type\":\"message\" }");
    CHECK(alice.heard.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a text of 1 MiB is heard, a longer one is not") {
    begin();
    join(alice);
    const std::string begins = R"({"type":"message","room":"r","payload":")";
    const auto text = [&](std::size_t octets) {
      return begins + std::string(octets - begins.size() - 2, 'x') + "\"}";
    };
    bus.observer->on_publication("pre:room:r", text(bus_text_octets_max + 1));
    CHECK(alice.heard.empty());
    CHECK(exchange.invalid() == 1);
    bus.observer->on_publication("pre:room:r", text(bus_text_octets_max));
    CHECK(alice.take_heard().size() == 1);
    CHECK(publish(alice, text(bus_text_octets_max)));
    CHECK(bus.take().size() == 1);
    CHECK(publish(alice, text(bus_text_octets_max + 1), "7"));
    CHECK(bus.take().empty());
    CHECK(alice.take_heard() == Heard{"unpublished room:r 7"});
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a room of a space is that space's, and channels of others are nobody's") {
    begin();
    rooms.join(alice, "space:s:room:r");
    confirm("pre:space:s:room:r");
    alice.take_heard();
    bus.observer->on_publication("pre:room:r", hi);
    bus.observer->on_publication("other:space:s:room:r", hi);
    CHECK(alice.heard.empty());
    CHECK(exchange.invalid() == 0);
    bus.observer->on_publication("pre:space:s:room:r", hi);
    CHECK(alice.heard.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "who published hears that it was lost, each its own") {
    begin();
    join(alice);
    rooms.join(bob, "room:r");
    CHECK(publish(alice, hi, "1"));
    CHECK(publish(bob, hi, "2"));
    exchange.post(Publish{std::string("room:r"), framed(hi),
                          std::make_unique<Publisher>(Publisher{1, 9, "room:r", "3"})});
    bus.observer->on_published(true);
    bus.observer->on_published(false);
    bus.observer->on_published(false);
    CHECK(alice.heard.empty());
    CHECK(bob.take_heard() == Heard{"unpublished room:r 2"});
    CHECK(other.next<Unpublished>().publisher->id == "3");
    CHECK(exchange.lost() == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "who has left the room hears it too, who is gone does not") {
    begin();
    join(alice);
    CHECK(publish(alice, hi, "1"));
    CHECK(publish(alice, hi, "2"));
    rooms.leave(alice, "room:r");
    bus.observer->on_published(false);
    CHECK(alice.take_heard() == Heard{"unpublished room:r 1"});
    rooms.leave_all(alice);
    bus.observer->on_published(false);
    CHECK(alice.heard.empty());
    {
      RoomMember gone;
      join(gone);
      CHECK(publish(gone, hi, "3"));
    }
    bus.observer->on_published(false);
  }

  TEST_CASE_FIXTURE(Fixture, "a publication that the bus has no room for is lost at once") {
    begin();
    join(alice);
    bus.full = true;
    CHECK(publish(alice, hi, "1"));
    CHECK(alice.take_heard() == Heard{"unpublished room:r 1"});
  }

  TEST_CASE_FIXTURE(Fixture, "what nobody here published is answered when the bus has answered") {
    begin();
    join(alice);
    std::vector<Exchange::Reached> reached;
    const auto publish_there = [&](std::string_view key) {
      exchange.publish(key, framed(hi), [&](Exchange::Reached who) { reached.push_back(who); });
    };
    publish_there("room:r");
    CHECK(publish(alice, hi, "1"));
    publish_there("room:elsewhere");
    CHECK(bus.take() == Heard{"pre:room:r " + std::string(hi), "pre:room:r " + std::string(hi),
                              "pre:room:elsewhere " + std::string(hi)});
    CHECK(reached.empty());
    CHECK(alice.heard.empty());
    bus.observer->on_published(true);
    CHECK(reached == std::vector{Exchange::Reached::Everyone});
    bus.observer->on_published(true);
    bus.observer->on_published(false);
    CHECK(reached == std::vector{Exchange::Reached::Everyone, Exchange::Reached::Nobody});
    CHECK(exchange.lost() == 1);
    bus.full = true;
    publish_there("room:r");
    CHECK(reached.size() == 3);
    CHECK(reached.back() == Exchange::Reached::Nobody);
    CHECK(exchange.lost() == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "local: with the bus away it reaches this instance") {
    begin();
    join(alice);
    bus.go();
    CHECK_FALSE(exchange.refuses());
    std::optional<Exchange::Reached> reached;
    exchange.publish("room:r", framed(hi), [&](Exchange::Reached who) { reached = who; });
    CHECK(reached == Exchange::Reached::ThisInstance);
    CHECK(alice.take_heard() == Heard{heard(hi)});
  }

  TEST_CASE_FIXTURE(Fixture, "refuse: with the bus away it reaches nobody, and others can ask") {
    begin(WhenDown::Refuse);
    join(alice);
    CHECK_FALSE(exchange.refuses());
    bus.go();
    CHECK(exchange.refuses());
    std::optional<Exchange::Reached> reached;
    exchange.publish("room:r", framed(hi), [&](Exchange::Reached who) { reached = who; });
    CHECK(reached == Exchange::Reached::Nobody);
    CHECK(alice.heard.empty());
    bus.come_back();
    CHECK_FALSE(exchange.refuses());
  }

  TEST_CASE_FIXTURE(Fixture, "local: while the bus is away the instance is alone") {
    begin();
    join(alice);
    rooms.join(bob, "room:new");
    exchange.post(Subscribe{1, theirs, "room:new"});
    bus.take();
    bus.go();
    CHECK(bob.take_heard() == Heard{"joined room:new"});
    CHECK(other.next<Subscribed>().confirmed);
    CHECK(rooms.join(bob, "room:later") == Rooms::Join::Joined);
    CHECK(bus.take() == Heard{"+pre:room:later"});
    CHECK(publish(alice, hi));
    CHECK(alice.take_heard() == Heard{heard(hi)});
    bus.come_back();
    confirm("pre:room:later");
    CHECK(bob.heard.empty());
    CHECK(publish(alice, hi));
    CHECK(alice.heard.empty());
    CHECK(bus.take().size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "local: a join shortly before the bus is back waits for it") {
    begin();
    bus.go();
    bus.will_confirm = true;
    CHECK(rooms.join(alice, "room:r") == Rooms::Join::Pending);
    SUBCASE("nobody hears what is published to it meanwhile") {
      CHECK(rooms.publish("room:r", framed(hi)));
      CHECK(alice.take_heard().empty());
      confirm("pre:room:r");
      CHECK(alice.take_heard() == Heard{"joined room:r"});
    }
    SUBCASE("and is answered if the bus is lost again") {
      bus.go();
      CHECK(alice.take_heard() == Heard{"joined room:r"});
    }
  }

  TEST_CASE_FIXTURE(Fixture, "refuse: while the bus is away nobody joins or publishes") {
    begin(WhenDown::Refuse);
    join(alice);
    rooms.join(bob, "room:new");
    bus.take();
    bus.go();
    CHECK(bob.take_heard() == Heard{"refused room:new"});
    CHECK(bus.take() == Heard{"-pre:room:new"});
    CHECK(rooms.join(alice, "room:r") == Rooms::Join::Joined);
    CHECK(rooms.join(bob, "room:r") == Rooms::Join::Refused);
    CHECK_FALSE(publish(alice, hi));
    CHECK_FALSE(rooms.publish("room:r", framed(hi)));
    CHECK(other.next<Refusing>().on);
    bus.come_back();
    CHECK_FALSE(other.next<Refusing>().on);
    CHECK(rooms.join(bob, "room:r") == Rooms::Join::Joined);
    CHECK(publish(alice, hi));
  }

  TEST_CASE_FIXTURE(Fixture, "refuse: letters that cross the news are answered") {
    begin(WhenDown::Refuse);
    join(alice);
    bus.go();
    other.letters.clear();
    exchange.post(Subscribe{1, theirs, "room:r"});
    CHECK_FALSE(other.next<Subscribed>().confirmed);
    exchange.post(Publish{std::string("room:r"), framed(hi),
                          std::make_unique<Publisher>(Publisher{1, 9, "room:r", "3"})});
    CHECK(other.next<Unpublished>().publisher->id == "3");
    CHECK(alice.heard.empty());
    bus.come_back();
    bus.observer->on_publication("pre:room:r", hi);
    CHECK(other.next<Refusing>().on == false);
    CHECK(other.letters.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "before the bus is there for the first time it is away") {
    exchange.add_worker(rooms);
    SUBCASE("local") {
      exchange.join_bus(bus, "pre", WhenDown::Local, audit);
      CHECK(rooms.join(alice, "room:r") == Rooms::Join::Joined);
    }
    SUBCASE("refuse") {
      exchange.join_bus(bus, "pre", WhenDown::Refuse, audit);
      CHECK(rooms.join(alice, "room:r") == Rooms::Join::Refused);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "nothing of a room comes before the answer to the join") {
    begin();
    rooms.join(alice, "room:r");
    bus.observer->on_publication("pre:room:r", hi);
    CHECK(alice.heard.empty());
    confirm("pre:room:r");
    CHECK(alice.take_heard() == Heard{"joined room:r"});
  }

  TEST_CASE_FIXTURE(Fixture, "others can see whether the bus is there, and what came and went") {
    exchange.add_worker(rooms);
    exchange.join_bus(bus, "pre", WhenDown::Local, audit);
    CHECK_FALSE(exchange.bus_up());
    CHECK(exchange.bus_away_since().count() > 0);
    bus.come_back();
    CHECK(exchange.bus_up());
    CHECK(exchange.bus_returns() == 1);
    join(alice);
    CHECK(exchange.rooms() == 1);
    REQUIRE(publish(alice, hi));
    bus.observer->on_publication("pre:room:r", hi);
    bus.observer->on_publication("pre:room:r", "rubbish");
    CHECK(exchange.published() == 1);
    CHECK(exchange.received() == 1);
    CHECK(exchange.invalid() == 1);
    bus.go();
    CHECK_FALSE(exchange.bus_up());
    bus.come_back();
    CHECK(exchange.bus_returns() == 2);
    confirm("pre:room:r", false);
    CHECK(exchange.rooms() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "the log says when, and why") {
    begin();
    bus.go();
    CHECK(captured.lines() ==
          Heard{R"({"level":"info","event":"redis_back","publications_lost":0})",
                R"({"level":"warn","event":"redis_away","reason":"connection_lost"})"});
  }
}
