#include "proxy/redis_client.h"

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

// The test is Redis: the peer of the connection of each attempt.
struct Fixture : Dialer, RedisClient::Observer {
  Timers timers{Instant{}};
  FlushList flushes;
  RedisServer server;
  std::vector<std::shared_ptr<Peer>> peers;
  OnFound on_found;
  unsigned lookups = 0;
  unsigned addresses = 1;
  unsigned at_hand = 0;
  Told told;
  Told news;
  std::unique_ptr<RedisClient> client = make();

  std::unique_ptr<RedisClient> make() {
    RedisClient::Observer& observer = *this;
    return std::make_unique<RedisClient>(timers, flushes, *this, server, Duration(5s), observer);
  }
  void on_away(std::string_view reason) override { news.emplace_back(reason); }
  void on_back() override { news.emplace_back("back"); }

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

  Peer& redis() { return *peers.back(); }
  void pass(Duration time) {
    const auto now = timers.now();
    timers.advance_to({now.monotonic + time, now.wall});
    flushes.flush();
  }
  Told take() { return std::exchange(told, {}); }
  std::string said() {
    flushes.flush();
    return redis().read();
  }
  bool get(std::string_view key) {
    return client->ask({"GET", key}, [this](const RedisReply* reply) {
      told.push_back(reply ? std::string(reply->text().value_or("no text")) : "lost");
    });
  }
  void begin() {
    client->start();
    pass(0s);
    on_found();
    flushes.flush();
  }
  void log_in() {
    redis().send("+PONG\r\n");
    said();
  }
};

}  // namespace

TEST_SUITE("Redis client") {
  TEST_CASE_FIXTURE(Fixture, "it asks once it is let in, and answers come in order") {
    begin();
    log_in();
    CHECK(get("a"));
    CHECK(get("b"));
    CHECK(said() == "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
    redis().send("$1\r\n1\r\n-ERR no\r\n");
    CHECK(take() == Told{"1", "no text"});
    CHECK(news.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "what is asked while it connects for the first time waits for that") {
    CHECK(get("a"));
    begin();
    CHECK(get("b"));
    CHECK(said() == "*1\r\n$4\r\nPING\r\n");
    SUBCASE("and is sent when it is let in") {
      redis().send("+PONG\r\n");
      CHECK(said() == "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
      redis().send("$1\r\n1\r\n$1\r\n2\r\n");
      CHECK(take() == Told{"1", "2"});
    }
    SUBCASE("and gets no answer when it is not") {
      redis().vanish();
      CHECK(take() == Told{"lost", "lost"});
      CHECK_FALSE(get("c"));
      pass(100ms);
      on_found();
      CHECK_FALSE(get("c"));
      redis().send("+PONG\r\n");
      CHECK(said() == "*1\r\n$4\r\nPING\r\n");
      CHECK(news == Told{"cannot_connect", "back"});
    }
  }

  TEST_CASE_FIXTURE(Fixture, "what has no answer when the connection is lost gets none, once") {
    begin();
    log_in();
    CHECK(get("a"));
    CHECK(get("b"));
    redis().send("$1\r\n1\r\n");
    SUBCASE("it ended") { redis().vanish(); }
    SUBCASE("a reply took too long") { pass(5s); }
    SUBCASE("a reply was none") { redis().send("?"); }
    CHECK(take() == Told{"1", "lost"});
    CHECK(news.size() == 1);
    CHECK_FALSE(get("c"));
    pass(100ms);
    REQUIRE(lookups == 2);
    on_found();
    log_in();
    CHECK(news.back() == "back");
    CHECK(get("c"));
    redis().send("$1\r\n3\r\n");
    CHECK(take() == Told{"3"});
  }

  TEST_CASE_FIXTURE(Fixture, "a question that is asked from an answer is a question of its own") {
    begin();
    log_in();
    CHECK(client->ask({"GET", "a"}, [this](const RedisReply*) { CHECK(get("b")); }));
    redis().send("$1\r\n1\r\n");
    CHECK(take().empty());
    redis().send("$1\r\n2\r\n");
    CHECK(take() == Told{"2"});
  }

  TEST_CASE_FIXTURE(Fixture, "a bounded number waits") {
    begin();
    log_in();
    for (std::size_t i = 0; i < RedisClient::waiting_max; ++i) REQUIRE(get("a"));
    CHECK_FALSE(get("a"));
    redis().send("$1\r\n1\r\n");
    CHECK(get("a"));
  }

  TEST_CASE_FIXTURE(Fixture, "it tries again, each time later") {
    begin();
    redis().observer->on_gone(TransportError::Refused);
    CHECK(news == Told{"cannot_connect"});
    pass(100ms);
    REQUIRE(lookups == 2);
    on_found();
    redis().send("-WRONGPASS no\r\n");
    CHECK(news == Told{"cannot_connect", "WRONGPASS"});
    pass(99ms);
    CHECK(lookups == 2);
    pass(101ms);
    CHECK(lookups == 3);
  }

  TEST_CASE_FIXTURE(Fixture, "an address that refuses is followed by the next at once") {
    addresses = 2;
    begin();
    redis().observer->on_gone(TransportError::Refused);
    REQUIRE(peers.size() == 2);
    log_in();
    CHECK(get("a"));
    CHECK(news.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a lookup that takes too long is given up") {
    client->start();
    pass(0s);
    pass(5s);
    CHECK(news == Told{"lookup_late"});
    on_found();
    CHECK(peers.empty());
    pass(100ms);
    CHECK(lookups == 2);
    on_found();
    CHECK(peers.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "where there is no address it goes on trying") {
    addresses = 0;
    begin();
    pass(100ms);
    CHECK(lookups == 2);
    on_found();
    CHECK(news == Told{"cannot_connect"});
  }

  TEST_CASE_FIXTURE(Fixture, "it may be destroyed while questions wait") {
    begin();
    log_in();
    CHECK(get("a"));
    client.reset();
    pass(1h);
    CHECK(told.empty());
    CHECK(redis().dropped);
  }
}
