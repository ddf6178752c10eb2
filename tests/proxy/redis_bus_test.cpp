#include "proxy/redis_bus.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/fakes/fake_transport.h"

using namespace proxy;
using namespace std::chrono_literals;
using tests::FakeTransport;
using tests::Peer;

namespace {

using Told = std::vector<std::string>;

std::string command(std::initializer_list<std::string_view> words) {
  std::string out;
  append_redis_command(out, std::span(words.begin(), words.size()));
  return out;
}

std::string reply(std::string_view what, std::string_view channel) {
  return fmt::format("*3\r\n${}\r\n{}\r\n${}\r\n{}\r\n:1\r\n", what.size(), what, channel.size(),
                     channel);
}

constexpr auto pong = "*2\r\n$4\r\npong\r\n$0\r\n\r\n";

std::string message(std::string_view channel, std::string_view text) {
  return command({"message", channel, text});
}

// Does and hears what a resident does, and says what it was told.
struct Guest final : Store::Resident {
  std::string name;
  Told told;
  std::function<void()> when_up = [] {};

  explicit Guest(std::string_view its_channel) : name(its_channel) {}
  std::string_view channel() const override { return name; }
  void on_text(std::string_view text) override { told.push_back("text " + std::string(text)); }
  void on_up() override {
    told.push_back("up");
    when_up();
  }
  void on_down() override { told.push_back("down"); }
  Store::Answer keep_answer() {
    return [this](const RedisReply* reply) {
      told.push_back(reply ? fmt::format("answer {}", reply->integer().value_or(-1)) : "lost");
    };
  }
  Told take() { return std::exchange(told, {}); }
};

// The test is Redis: the peer of both connections of each attempt.
struct Fixture : Bus::Observer, Dialer {
  Timers timers{Instant{}};
  FlushList flushes;
  RedisServer server;
  std::vector<std::shared_ptr<Peer>> peers;
  OnFound on_found;
  unsigned lookups = 0;
  unsigned addresses = 1;
  unsigned at_hand = 0;
  Told told;
  std::unique_ptr<RedisBus> bus =
      std::make_unique<RedisBus>(timers, flushes, *this, server, Duration(5s), "hb");
  std::uint64_t beats = 0;

  void look_up(OnFound found) override {
    ++lookups;
    at_hand = 0;
    on_found = std::move(found);
  }
  std::unique_ptr<Transport> dial() override {
    if (addresses == 0) return nullptr;
    return std::make_unique<FakeTransport>(peers.emplace_back(std::make_shared<Peer>()));
  }
  bool next_address() override { return ++at_hand < addresses; }

  void on_subscribed(std::string_view channel, bool confirmed) override {
    told.push_back((confirmed ? "subscribed " : "refused ") + std::string(channel));
  }
  void on_publication(std::string_view channel, std::string_view text) override {
    told.push_back(std::string(channel) + ": " + std::string(text));
  }
  void on_published(bool arrived) override {
    told.push_back(arrived ? "published" : "unpublished");
  }
  void on_away(std::string_view reason) override { told.push_back("away " + std::string(reason)); }
  void on_back() override { told.push_back("back"); }

  Peer& commands() { return *peers[peers.size() - 2]; }
  Peer& subscriptions() { return *peers[peers.size() - 1]; }

  void pass(Duration time) {
    const auto now = timers.now();
    timers.advance_to({now.monotonic + time, now.wall});
    flushes.flush();
  }
  Told take() { return std::exchange(told, {}); }
  std::string said(Peer& peer) {
    flushes.flush();
    return peer.read();
  }

  void begin() {
    bus->start(*this);
    pass(0s);
    on_found();
    flushes.flush();
  }
  void log_in() {
    for (auto* peer : {&commands(), &subscriptions()}) peer->send("+PONG\r\n");
    flushes.flush();
    for (auto* peer : {&commands(), &subscriptions()}) peer->read();
    subscriptions().send(reply("subscribe", "hb"));
    flushes.flush();
  }
  void beat() {
    ++beats;
    commands().send(":1\r\n");
    subscriptions().send(message("hb", std::to_string(beats)));
    flushes.flush();
    commands().read();
  }
  void back() {
    begin();
    log_in();
    beat();
    CHECK(take() == Told{"back"});
  }
  void reconnect() {
    pass(5s);
    on_found();
    flushes.flush();
    log_in();
  }
  void lose_commands() {
    commands().vanish();
    subscriptions().send(pong);
  }
  void join(std::string_view channel) {
    bus->subscribe(channel);
    said(subscriptions());
    subscriptions().send(reply("subscribe", channel));
    take();
  }
};

}  // namespace

TEST_SUITE("Redis bus") {
  TEST_CASE_FIXTURE(Fixture, "it is there once both connections are and a heartbeat went round") {
    begin();
    REQUIRE(peers.size() == 2);
    commands().send("+PONG\r\n");
    CHECK(said(commands()) == command({"PING"}));
    subscriptions().send("+PONG\r\n");
    CHECK(said(subscriptions()) == command({"PING"}) + command({"SUBSCRIBE", "hb"}));
    subscriptions().send(reply("subscribe", "hb"));
    CHECK(said(commands()) == command({"PUBLISH", "hb", "1"}));
    commands().send(":1\r\n");
    CHECK(bus->away());
    CHECK(told.empty());
    subscriptions().send(message("hb", "1"));
    CHECK_FALSE(bus->away());
    CHECK(told == Told{"back"});
  }

  TEST_CASE_FIXTURE(Fixture, "another heartbeat than the one under way does not count") {
    begin();
    log_in();
    subscriptions().send(message("hb", "0"));
    subscriptions().send(message("hb", "2"));
    CHECK(bus->away());
    CHECK(told.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a subscription is confirmed when Redis says so") {
    back();
    bus->subscribe("r");
    CHECK(said(subscriptions()) == command({"SUBSCRIBE", "r"}));
    CHECK(told.empty());
    subscriptions().send(reply("subscribe", "r"));
    CHECK(take() == Told{"subscribed r"});
    subscriptions().send(message("r", "hi"));
    CHECK(take() == Told{"r: hi"});
  }

  TEST_CASE_FIXTURE(Fixture, "one that Redis refuses is told, and the others stay") {
    back();
    bus->subscribe("secret");
    subscriptions().send("-NOPERM No permissions to access a channel\r\n");
    CHECK(take() == Told{"refused secret"});
    CHECK_FALSE(bus->away());
    bus->unsubscribe("secret");
    CHECK(said(subscriptions()) == command({"SUBSCRIBE", "secret"}));
  }

  TEST_CASE_FIXTURE(Fixture, "who subscribes again waits for the answer to that") {
    back();
    bus->subscribe("r");
    bus->unsubscribe("r");
    bus->subscribe("r");
    subscriptions().send(reply("subscribe", "r"));
    subscriptions().send(reply("unsubscribe", "r"));
    CHECK(told.empty());
    subscriptions().send(reply("subscribe", "r"));
    CHECK(told == Told{"subscribed r"});
  }

  TEST_CASE_FIXTURE(Fixture, "a publication is answered in its turn") {
    back();
    CHECK(bus->publish("r", "1"));
    CHECK(bus->publish("r", "2"));
    CHECK(said(commands()) == command({"PUBLISH", "r", "1"}) + command({"PUBLISH", "r", "2"}));
    commands().send(":1\r\n-NOPERM no\r\n");
    CHECK(told == Told{"published", "unpublished"});
  }

  TEST_CASE_FIXTURE(Fixture, "no more than 16 MiB wait for an answer") {
    back();
    const std::string half(RedisBus::waiting_octets_max / 2 - 1, 'x');
    CHECK(bus->publish("r", half));
    CHECK(bus->publish("r", half));
    CHECK_FALSE(bus->publish("r", ""));
    commands().send(":1\r\n");
    CHECK(bus->publish("r", half));
    CHECK(take() == Told{"published"});
  }

  TEST_CASE_FIXTURE(Fixture, "either connection lost: away, and what has no answer gets none") {
    back();
    CHECK(bus->publish("r", "1"));
    flushes.flush();
    SUBCASE("commands") { lose_commands(); }
    SUBCASE("subscriptions") { subscriptions().vanish(); }
    CHECK(bus->away());
    auto said_so = take();
    std::ranges::sort(said_so);
    CHECK(said_so == Told{"away connection_lost", "unpublished"});
    CHECK(commands().dropped);
    CHECK_FALSE(bus->publish("r", "2"));
    pass(100ms);
    CHECK(subscriptions().dropped);
  }

  TEST_CASE_FIXTURE(Fixture, "what was subscribed is again before it is back, without a word") {
    back();
    join("a");
    join("b");
    join("gone");
    lose_commands();
    bus->unsubscribe("gone");
    bus->subscribe("new");
    take();
    reconnect();
    CHECK(said(subscriptions()) == command({"SUBSCRIBE", "a"}) + command({"SUBSCRIBE", "b"}) +
                                       command({"SUBSCRIBE", "new"}));
    CHECK(said(commands()).empty());
    subscriptions().send(reply("subscribe", "a") + reply("subscribe", "b"));
    CHECK(said(commands()).empty());
    subscriptions().send(reply("subscribe", "new"));
    CHECK(said(commands()) == command({"PUBLISH", "hb", "2"}));
    take();
    beat();
    CHECK(take() == Told{"back"});
  }

  TEST_CASE_FIXTURE(Fixture, "it subscribes again in batches") {
    for (std::size_t i = 0; i < RedisBus::batch_max + 1; ++i) {
      bus->subscribe(fmt::format("room{:04}", i));
    }
    begin();
    log_in();
    const auto first = said(subscriptions());
    CHECK(first.ends_with(command({"SUBSCRIBE", "room0999"})));
    for (std::size_t i = 0; i < RedisBus::batch_max; ++i) {
      CHECK(said(subscriptions()).empty());
      subscriptions().send(reply("subscribe", fmt::format("room{:04}", i)));
    }
    CHECK(said(subscriptions()) == command({"SUBSCRIBE", "room1000"}));
    CHECK(said(commands()).empty());
    subscriptions().send(reply("subscribe", "room1000"));
    CHECK(said(commands()) == command({"PUBLISH", "hb", "1"}));
  }

  TEST_CASE_FIXTURE(Fixture, "a heartbeat that is late: away") {
    back();
    pass(1s);
    CHECK(said(commands()) == command({"PUBLISH", "hb", "2"}));
    SUBCASE("one that went round is followed by another") {
      beat();
      pass(1s);
      beat();
      pass(999ms);
      CHECK(told.empty());
    }
    SUBCASE("published and not seen") {
      commands().send(":0\r\n");
      pass(4999ms);
      CHECK(told.empty());
      pass(1ms);
      CHECK(told == Told{"away heartbeat_late"});
    }
  }

  TEST_CASE_FIXTURE(Fixture, "it tries again, each time later, and says so once for each reason") {
    begin();
    commands().observer->on_gone(TransportError::Refused);
    CHECK(take() == Told{"away cannot_connect"});
    pass(49ms);
    CHECK(lookups == 1);
    pass(51ms);
    CHECK(lookups == 2);
    on_found();
    subscriptions().observer->on_gone(TransportError::Refused);
    CHECK(take().empty());
    pass(99ms);
    CHECK(lookups == 2);
    pass(101ms);
    CHECK(lookups == 3);
    on_found();
    commands().send("-WRONGPASS no\r\n");
    CHECK(take() == Told{"away WRONGPASS"});
  }

  TEST_CASE_FIXTURE(Fixture, "an address that refuses is followed by the next at once") {
    addresses = 2;
    begin();
    CHECK(peers.size() == 2);
    commands().observer->on_gone(TransportError::Refused);
    CHECK(told.empty());
    REQUIRE(peers.size() == 4);
    log_in();
    beat();
    CHECK(take() == Told{"back"});
  }

  TEST_CASE_FIXTURE(Fixture, "so is one that answers nothing, once its time is over") {
    addresses = 2;
    begin();
    pass(5s);
    CHECK(told.empty());
    REQUIRE(peers.size() == 4);
    log_in();
    beat();
    CHECK(take() == Told{"back"});
  }

  TEST_CASE_FIXTURE(Fixture, "where there is no address it goes on trying") {
    addresses = 0;
    begin();
    CHECK(take() == Told{"away cannot_connect"});
    pass(100ms);
    CHECK(lookups == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "a lookup that takes too long is given up") {
    bus->start(*this);
    pass(0s);
    pass(4999ms);
    CHECK(told.empty());
    pass(1ms);
    CHECK(take() == Told{"away lookup_late"});
    on_found();
    CHECK(peers.empty());
    pass(100ms);
    CHECK(lookups == 2);
    on_found();
    CHECK(peers.size() == 2);
    pass(4999ms);
    CHECK(told.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "after a success the waits begin again, and so does what may wait") {
    back();
    const std::string half(RedisBus::waiting_octets_max / 2 - 1, 'x');
    for (int round = 0; round < 8; ++round) {
      CHECK(bus->publish("r", half));
      CHECK(bus->publish("r", half));
      CHECK_FALSE(bus->publish("r", ""));
      lose_commands();
      CHECK(take() == Told{"unpublished", "unpublished", "away connection_lost"});
      const auto before = lookups;
      pass(100ms);
      REQUIRE(lookups == before + 1);
      on_found();
      flushes.flush();
      log_in();
      beat();
      CHECK(take() == Told{"back"});
    }
  }

  TEST_CASE_FIXTURE(Fixture, "a publication whose answer is none is told as lost") {
    back();
    REQUIRE(bus->publish("r", "x"));
    commands().send("+OK\r\n");
    CHECK(told == Told{"away bad_reply", "unpublished"});
  }

  TEST_CASE_FIXTURE(Fixture, "a reply to another question ends the connection, not the process") {
    back();
    bus->subscribe("r");
    SUBCASE("another channel") { subscriptions().send(reply("subscribe", "q")); }
    SUBCASE("another verb") { subscriptions().send(reply("unsubscribe", "r")); }
    SUBCASE("no array") { subscriptions().send("+OK\r\n"); }
    SUBCASE("nothing was asked") { commands().send(":1\r\n"); }
    CHECK(told == Told{"away bad_reply"});
  }

  TEST_CASE_FIXTURE(Fixture, "without permission for the heartbeat there is no bus") {
    begin();
    commands().send("+PONG\r\n");
    subscriptions().send("+PONG\r\n");
    SUBCASE("to subscribe") { subscriptions().send("-NOPERM no\r\n"); }
    SUBCASE("to publish") {
      subscriptions().send(reply("subscribe", "hb"));
      commands().send("-NOPERM no\r\n");
    }
    CHECK(told == Told{"away NOPERM"});
  }

  TEST_CASE_FIXTURE(Fixture, "what Redis said before it went is heard before the bus is away") {
    back();
    join("r");
    CHECK(bus->publish("r", "1"));
    CHECK(bus->publish("r", "2"));
    bus->subscribe("other");
    said(subscriptions());
    commands().send(":1\r\n");
    commands().vanish();
    CHECK(take() == Told{"published", "unpublished"});
    CHECK_FALSE(bus->away());
    CHECK_FALSE(bus->publish("r", "3"));
    bus->unsubscribe("other");
    bus->subscribe("new");
    CHECK(said(subscriptions()) == command({"PING"}));
    subscriptions().send(message("hb", "1") + reply("subscribe", "other") + message("r", "1"));
    CHECK(take() == Told{"r: 1"});
    SUBCASE("all of it: the connection ends") { subscriptions().vanish(); }
    SUBCASE("all of it: the connection says so") { subscriptions().send(pong); }
    SUBCASE("but nobody waits for long") {
      pass(99ms);
      CHECK(told.empty());
      pass(1ms);
    }
    CHECK(take() == Told{"away connection_lost"});
    reconnect();
    CHECK(said(subscriptions()) == command({"SUBSCRIBE", "new"}) + command({"SUBSCRIBE", "r"}));
  }

  TEST_CASE_FIXTURE(Fixture,
                    "it is back once all who joined meanwhile will hear what is published") {
    begin();
    log_in();
    CHECK_FALSE(bus->confirms());
    bus->subscribe("early");
    flushes.flush();
    beat();
    CHECK(take().empty());
    CHECK(bus->away());
    CHECK(bus->confirms());
    bus->subscribe("late");
    subscriptions().send(reply("subscribe", "early"));
    CHECK(take() == Told{"subscribed early", "back"});
    subscriptions().send(reply("subscribe", "late"));
    CHECK(take() == Told{"subscribed late"});
  }

  TEST_CASE_FIXTURE(Fixture, "a resident's channel is subscribed first, and heard by it alone") {
    Guest guest("control");
    Guest quiet("");
    bus->attach(guest);
    bus->attach(quiet);
    bus->subscribe("a");
    guest.when_up = quiet.when_up = [this] { bus->settled(); };
    begin();
    for (auto* peer : {&commands(), &subscriptions()}) peer->send("+PONG\r\n");
    CHECK(said(subscriptions()) ==
          command({"PING"}) + command({"SUBSCRIBE", "hb"}) + command({"SUBSCRIBE", "control"}));
    subscriptions().send(reply("subscribe", "hb"));
    CHECK(guest.take().empty());
    subscriptions().send(reply("subscribe", "control"));
    CHECK(said(subscriptions()) == command({"SUBSCRIBE", "a"}));
    CHECK(guest.take() == Told{"up"});
    subscriptions().send(reply("subscribe", "a") + message("control", "x"));
    CHECK(guest.take() == Told{"text x"});
    CHECK(quiet.take() == Told{"up"});
    flushes.flush();
    beat();
    CHECK(take() == Told{"subscribed a", "back"});
    lose_commands();
    CHECK(guest.take() == Told{"down"});
  }

  TEST_CASE_FIXTURE(Fixture, "without permission for a resident's channel there is no bus") {
    Guest guest("control");
    bus->attach(guest);
    begin();
    log_in();
    subscriptions().send("-NOPERM no\r\n");
    CHECK(take() == Told{"away NOPERM"});
    CHECK(guest.take().empty());
  }

  TEST_CASE_FIXTURE(Fixture, "it is not back before its residents have what they need") {
    Guest guest("");
    bus->attach(guest);
    guest.when_up = [&] { CHECK(bus->ask({"GET", "x"}, guest.keep_answer())); };
    CHECK_FALSE(bus->ask({"GET", "x"}, guest.keep_answer()));
    begin();
    log_in();
    CHECK(said(commands()) == command({"GET", "x"}));
    commands().send(":7\r\n");
    CHECK(guest.take() == Told{"up", "answer 7"});
    CHECK(said(commands()).empty());
    SUBCASE("it has") {
      bus->settled();
      CHECK(said(commands()) == command({"PUBLISH", "hb", "1"}));
      beat();
      CHECK(take() == Told{"back"});
    }
    SUBCASE("it cannot get it") {
      bus->give_up("bad_copy");
      CHECK(take().empty());
      pass(0s);
      CHECK(take() == Told{"away bad_copy"});
      CHECK(guest.take() == Told{"down"});
      CHECK(commands().dropped);
      reconnect();
      CHECK(guest.take() == Told{"up"});
    }
  }

  TEST_CASE_FIXTURE(Fixture, "questions are asked and answered among the publications") {
    back();
    Guest guest("");
    CHECK(bus->publish("r", "1"));
    CHECK(bus->ask({"INCR", "n"}, guest.keep_answer()));
    CHECK(bus->publish("r", "2"));
    CHECK(said(commands()) ==
          command({"PUBLISH", "r", "1"}) + command({"INCR", "n"}) + command({"PUBLISH", "r", "2"}));
    commands().send(":1\r\n:5\r\n");
    CHECK(guest.take() == Told{"answer 5"});
    CHECK(bus->ask({"INCR", "n"}, guest.keep_answer()));
    lose_commands();
    CHECK(guest.take() == Told{"lost"});
    CHECK(take() == Told{"published", "unpublished", "away connection_lost"});
    CHECK_FALSE(bus->ask({"INCR", "n"}, guest.keep_answer()));
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a question that is answered with an error is its asker's to deal with") {
    back();
    Guest guest("");
    CHECK(bus->ask({"INCR", "n"}, guest.keep_answer()));
    commands().send("-WRONGTYPE no\r\n");
    CHECK(guest.take() == Told{"answer -1"});
    CHECK_FALSE(bus->away());
  }

  TEST_CASE_FIXTURE(Fixture, "questions count among the 16 MiB that wait") {
    back();
    Guest guest("");
    const std::string all(RedisBus::waiting_octets_max - 1, 'x');
    CHECK(bus->ask({"SET", "n", all}, guest.keep_answer()));
    CHECK_FALSE(bus->ask({"SET", "n", "x"}, guest.keep_answer()));
    CHECK_FALSE(bus->publish("r", ""));
    CHECK(bus->waiting_octets() == RedisBus::waiting_octets_max);
    commands().send("+OK\r\n");
    CHECK(bus->publish("r", ""));
  }

  TEST_CASE_FIXTURE(Fixture, "it may be destroyed at any moment") {
    SUBCASE("before an address is known") {
      bus->start(*this);
      pass(0s);
    }
    SUBCASE("while it connects") { begin(); }
    SUBCASE("with publications and subscriptions unanswered") {
      back();
      bus->subscribe("r");
      CHECK(bus->publish("r", "1"));
    }
    bus.reset();
    pass(1h);
    CHECK(told.empty());
    for (const auto& peer : peers) CHECK(peer->dropped);
  }
}
