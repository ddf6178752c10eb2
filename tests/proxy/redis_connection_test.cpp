#include "proxy/redis_connection.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/fakes/fake_transport.h"

using namespace proxy;
using namespace std::chrono_literals;
using tests::FakeTransport;
using tests::Peer;

namespace {

constexpr auto ping = "*1\r\n$4\r\nPING\r\n";

struct Fixture : RedisConnection::Observer {
  Timers timers{Instant{}};
  FlushList flushes;
  std::shared_ptr<Peer> redis = std::make_shared<Peer>();
  RedisServer server;
  std::vector<std::string> told;
  std::unique_ptr<RedisConnection> connection;
  bool closes = false;  // when told anything

  void connect(RedisConnection::Use use = RedisConnection::Use::Commands) {
    connection = std::make_unique<RedisConnection>(
        timers, flushes, std::make_unique<FakeTransport>(redis), use, server, Duration(5s), *this);
    flushes.flush();
  }
  void connect_ready(RedisConnection::Use use = RedisConnection::Use::Commands) {
    connect(use);
    redis->send("+PONG\r\n");
    redis->read();
    told.clear();
  }
  void pass(Duration time) {
    const auto now = timers.now();
    timers.advance_to({now.monotonic + time, now.wall});
  }

  void tell(std::string what) {
    told.push_back(std::move(what));
    if (closes) connection->close();
  }
  void on_ready() override { tell("ready"); }
  void on_reply(const RedisReply& reply) override {
    const auto error = reply.error();
    tell(error ? "error " + std::string(*error)
               : "reply " + std::string(reply.text().value_or("")));
  }
  void on_message(std::string_view channel, std::string_view text) override {
    tell(std::string(channel) + ": " + std::string(text));
  }
  void on_gone(const RedisFailure& failure) override {
    tell("gone " + std::string(failure.reason()));
  }
};

using Told = std::vector<std::string>;

}  // namespace

TEST_SUITE("Redis connection") {
  TEST_CASE_FIXTURE(Fixture, "it is ready when Redis answers") {
    connect();
    CHECK(redis->reading);
    CHECK(redis->read() == ping);
    CHECK(told.empty());
    redis->send("+PONG\r\n");
    CHECK(told == Told{"ready"});
  }

  TEST_CASE_FIXTURE(Fixture, "user, password and database come first") {
    server.user = "u";
    server.password = "p";
    server.database = 7;
    connect();
    CHECK(redis->read() == std::string("*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n"
                                       "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n") +
                               ping);
    redis->send("+OK\r\n+OK\r\n");
    CHECK(told.empty());
    redis->send("+PONG\r\n");
    CHECK(told == Told{"ready"});
  }

  TEST_CASE_FIXTURE(Fixture, "a password alone is the default user's") {
    server.password = "p";
    connect();
    CHECK(redis->read() == std::string("*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n") + ping);
  }

  TEST_CASE_FIXTURE(Fixture, "a Redis that does not let us in is left, and says why in a word") {
    server.password = "p";
    connect();
    redis->send("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    CHECK(told == Told{"gone WRONGPASS"});
    CHECK(redis->dropped);
  }

  TEST_CASE_FIXTURE(Fixture, "a Redis that is still loading is not ready") {
    connect();
    redis->send("-LOADING Redis is loading the dataset in memory\r\n");
    CHECK(told == Told{"gone LOADING"});
  }

  TEST_CASE_FIXTURE(Fixture, "commands of one iteration are one write, and replies come in order") {
    connect_ready();
    const auto before = redis->writes;
    connection->send({"GET", "a"});
    connection->send({"GET", "b"});
    CHECK(redis->read().empty());
    flushes.flush();
    CHECK(redis->writes == before + 1);
    CHECK(redis->read() == "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
    redis->send("+1\r\n-ERR no\r\n");
    CHECK(told == Told{"reply 1", "error ERR"});
  }

  TEST_CASE_FIXTURE(Fixture, "what is published comes between the replies to subscriptions") {
    connect_ready(RedisConnection::Use::Subscriptions);
    connection->send({"SUBSCRIBE", "c"});
    redis->send("*3\r\n$7\r\nmessage\r\n$1\r\nd\r\n$2\r\nhi\r\n");
    redis->send("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    CHECK(told == Told{"d: hi", "reply "});
  }

  TEST_CASE_FIXTURE(Fixture,
                    "on a connection for commands an array is a reply, whatever is in it") {
    connect_ready();
    connection->send({"LRANGE", "l", "0", "-1"});
    redis->send("*3\r\n$7\r\nmessage\r\n$1\r\nd\r\n$2\r\nhi\r\n");
    CHECK(told == Told{"reply "});
  }

  TEST_CASE_FIXTURE(Fixture, "a reply that nobody asked for ends the connection") {
    connect_ready();
    redis->send("+OK\r\n");
    CHECK(told == Told{"gone bad_reply"});
  }

  TEST_CASE_FIXTURE(Fixture, "what speaks another protocol is left") {
    connect();
    redis->send("HTTP/1.1 400 Bad Request\r\n\r\n");
    CHECK(told == Told{"gone bad_reply"});
    CHECK(redis->dropped);
  }

  TEST_CASE_FIXTURE(Fixture, "a Redis that says nothing is given up after the timeout") {
    connect();
    pass(4999ms);
    CHECK(told.empty());
    pass(1ms);
    CHECK(told == Told{"gone no_answer"});
  }

  TEST_CASE_FIXTURE(Fixture, "each command has the whole timeout, and the oldest decides") {
    connect_ready();
    connection->send({"GET", "a"});
    pass(3s);
    connection->send({"GET", "b"});
    redis->send("+1\r\n");
    pass(4999ms);
    CHECK(told == Told{"reply 1"});
    pass(1ms);
    CHECK(told == Told{"reply 1", "gone no_answer"});
  }

  TEST_CASE_FIXTURE(Fixture, "without a command nothing is late") {
    connect_ready();
    pass(1h);
    CHECK(told.empty());
    connection->send({"GET", "a"});
    pass(4999ms);
    CHECK(told.empty());
    pass(1ms);
    CHECK(told == Told{"gone no_answer"});
  }

  TEST_CASE_FIXTURE(Fixture, "a stream that breaks, and one that was never there") {
    SUBCASE("broken") {
      connect_ready();
      redis->vanish();
      CHECK(told == Told{"gone connection_lost"});
    }
    SUBCASE("refused") {
      connect();
      redis->observer->on_gone(TransportError::Refused);
      CHECK(told == Told{"gone cannot_connect"});
    }
    SUBCASE("ended before a word, whatever the kernel calls it") {
      connect();
      redis->vanish();
      CHECK(told == Told{"gone cannot_connect"});
    }
  }

  TEST_CASE_FIXTURE(Fixture, "once it is closed nothing is told, not even what has been read") {
    connect_ready();
    connection->send({"GET", "a"});
    connection->send({"GET", "b"});
    flushes.flush();
    closes = true;
    redis->send("+1\r\n+2\r\n");
    CHECK(told == Told{"reply 1"});
    CHECK(redis->dropped);
    connection->send({"GET", "c"});
    flushes.flush();
    pass(1h);
    CHECK(told == Told{"reply 1"});
  }
}
