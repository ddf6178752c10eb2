#include "gateway/redis_session_store.h"

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/fakes/fake_transport.h"
#include "tests/gateway/captured_log.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace {

using Strings = std::vector<std::string>;

// The test is Redis, and several who ask.
struct Fixture : proxy::Dialer {
  proxy::Timers timers{proxy::Instant{}};
  proxy::FlushList flushes;
  tests::CapturedLog captured;
  Audit audit{captured.log()};
  WorkerCounters counters;
  const SessionRedis redis = [] {
    SessionRedis made;
    made.server.host = "sessions.internal";
    made.prefix = "sess:";
    return made;
  }();
  std::shared_ptr<tests::Peer> peer;
  OnFound on_found;
  RedisSessionStore store{timers, flushes, *this, redis, audit, counters};

  struct Who : SessionStore::Asker {
    Strings told;
    void on_session(const SessionStore::Answer& answer) override {
      using Kind = SessionStore::Answer::Kind;
      if (answer.kind == Kind::Missing) told.emplace_back("missing");
      if (answer.kind == Kind::Away) told.emplace_back("away");
      if (answer.kind != Kind::Found) return;
      told.emplace_back(answer.record);
      if (answer.time_to_live) told.back() += " " + std::to_string(answer.time_to_live->count());
    }
  };
  Who alice;
  Who bob;

  void look_up(OnFound found) override { on_found = std::move(found); }
  std::unique_ptr<proxy::Transport> dial() override {
    return std::make_unique<tests::FakeTransport>(peer = std::make_shared<tests::Peer>());
  }
  bool next_address() override { return false; }

  void connect() {
    pass(100ms);
    on_found();
    said();
    peer->send("+PONG\r\n");
  }
  void pass(proxy::Duration time) {
    const auto now = timers.now();
    timers.advance_to({now.monotonic + time, now.wall});
  }
  std::string said() {
    flushes.flush();
    return peer->read();
  }
  std::uint64_t asked(SessionStore::Answer::Kind kind) const {
    return counters.session_questions[static_cast<std::size_t>(kind)].value();
  }
};

}  // namespace

TEST_SUITE("Login sessions in Redis") {
  using Kind = SessionStore::Answer::Kind;

  TEST_CASE_FIXTURE(Fixture,
                    "a record comes with its time to live, and no more of it than is read") {
    connect();
    const auto asked_for = store.ask("id-1", alice);
    REQUIRE(asked_for);
    CHECK(said() ==
          "*2\r\n$4\r\nPTTL\r\n$9\r\nsess:id-1\r\n"
          "*4\r\n$8\r\nGETRANGE\r\n$9\r\nsess:id-1\r\n$1\r\n0\r\n$5\r\n65536\r\n");
    SUBCASE("") {
      peer->send(":1500\r\n$2\r\n{}\r\n");
      CHECK(alice.told == Strings{"{} 1500"});
    }
    SUBCASE("which may be none") {
      peer->send(":-1\r\n$2\r\n{}\r\n");
      CHECK(alice.told == Strings{"{}"});
    }
    CHECK(asked(Kind::Found) == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "what is not there, or goes between the two questions, is missing") {
    connect();
    const auto asked_for = store.ask("id-1", alice);
    SUBCASE("not there") { peer->send(":-2\r\n$0\r\n\r\n"); }
    SUBCASE("gone") { peer->send(":1\r\n$0\r\n\r\n"); }
    SUBCASE("only just there") { peer->send(":-2\r\n$2\r\n{}\r\n"); }
    CHECK(alice.told == Strings{"missing"});
    CHECK(asked(Kind::Missing) == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "an answer that is none lets nobody in, and the log says why, once") {
    connect();
    std::string refusal;
    SUBCASE("no permission for the one") { refusal = "-NOPERM no\r\n$2\r\n{}\r\n"; }
    SUBCASE("for the other") { refusal = ":-1\r\n-NOPERM no\r\n"; }
    SUBCASE("for both") { refusal = "-NOPERM no\r\n-NOPERM no\r\n"; }
    for (int i = 0; i < 2; ++i) {
      const auto asked_for = store.ask("id-1", alice);
      peer->send(refusal);
    }
    CHECK(alice.told == Strings{"away", "away"});
    CHECK(asked(Kind::Away) == 2);
    const auto lines = captured.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].contains(R"("event":"session_store_away")"));
    CHECK(lines[0].contains(R"("reason":"NOPERM")"));
    CHECK(lines[0].contains("sessions.internal"));
  }

  TEST_CASE_FIXTURE(Fixture, "whoever takes the question back hears nothing") {
    connect();
    auto of_alice = store.ask("id-1", alice);
    auto of_bob = store.ask("id-2", bob);
    SUBCASE("before any answer") { of_alice.reset(); }
    SUBCASE("between the two") {
      peer->send(":-1\r\n");
      of_alice.reset();
      peer->send("$1\r\na\r\n:-1\r\n$1\r\nb\r\n");
    }
    if (bob.told.empty()) peer->send(":-1\r\n$1\r\na\r\n:-1\r\n$1\r\nb\r\n");
    CHECK(alice.told.empty());
    CHECK(bob.told == Strings{"b"});
  }

  TEST_CASE_FIXTURE(Fixture, "a Redis that is lost answers nobody, and nobody asks it") {
    connect();
    const auto asked_for = store.ask("id-1", alice);
    SUBCASE("it ended") { peer->vanish(); }
    SUBCASE("it hangs") { pass(5s); }
    CHECK(alice.told == Strings{"away"});
    CHECK_FALSE(store.ask("id-1", alice));
    CHECK(asked(Kind::Away) == 2);
    connect();
    const auto again = store.ask("id-1", alice);
    REQUIRE(again);
    peer->send(":-1\r\n$1\r\na\r\n");
    CHECK(alice.told == Strings{"away", "a"});
    const auto lines = captured.lines();
    REQUIRE(lines.size() == 2);
    CHECK(lines[1].contains(R"("event":"session_store_back")"));
  }

  TEST_CASE_FIXTURE(Fixture, "a bounded number of questions waits") {
    connect();
    std::vector<std::unique_ptr<Inquiry>> waiting;
    for (std::size_t i = 0; i < RedisSessionStore::questions_max; ++i) {
      REQUIRE(waiting.emplace_back(store.ask("id-1", alice)));
    }
    CHECK_FALSE(store.ask("id-1", bob));
    peer->send(":-1\r\n$1\r\na\r\n");
    CHECK(store.ask("id-1", bob));
  }
}
