#include "gateway/session_watch.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "auth/session_record.h"
#include "tests/fakes/scripted_session_store.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace {

constexpr proxy::WallTime begin{std::chrono::seconds(1'796'000'000)};  // 2026-11-30T00:53:20Z

std::string record(std::string_view user, std::string_view role, std::string_view cookie = "{}") {
  return R"({"cookie":)" + std::string(cookie) + R"(,"user":")" + std::string(user) +
         R"(","role":")" + std::string(role) + R"("})";
}

// An end that each request of the browser moves.
constexpr auto rolling = R"({"originalMaxAge":60000,"expires":"2026-11-30T00:54:20.000Z"})";

struct Fixture : SessionWatch::Host {
  proxy::Timers timers{proxy::Instant{{}, begin}};
  tests::ScriptedSessionStore store;
  SessionSettings settings;
  std::vector<std::pair<auth::Principal, bool>> changes;
  std::optional<Goodbye> over;
  std::unique_ptr<SessionWatch> watch;

  Fixture() {
    settings.rules = {.authenticator = "web",
                      .subject_prefix = "",
                      .subject = "/user",
                      .claims = {{"role", "/role"}}};
  }

  std::string_view subject() override { return "alice"; }
  SessionStore& session_store() override { return store; }
  const SessionSettings& session_settings() override { return settings; }
  void on_session_changed(auth::Principal principal, bool other_claims) override {
    changes.emplace_back(std::move(principal), other_claims);
  }
  void on_session_over(Goodbye why) override {
    REQUIRE_FALSE(over);
    over = why;
    watch->stop();
  }

  void start(std::string_view text = record("alice", "editor"),
             std::optional<std::chrono::milliseconds> time_to_live = {}) {
    auto principal =
        auth::read_session(text, time_to_live, settings.rules,
                           std::chrono::floor<std::chrono::milliseconds>(timers.now().wall));
    REQUIRE(principal);
    SessionWatch::Host& host = *this;
    watch = std::make_unique<SessionWatch>(host, timers, "id-1", *principal);
  }
  void pass(proxy::Duration time) {
    const auto now = timers.now();
    timers.advance_to(
        {now.monotonic + time, now.wall + std::chrono::round<std::chrono::milliseconds>(time)});
  }
  // As often as it asks within that time, it is told the same.
  std::size_t questions_within(proxy::Duration time, std::string_view text) {
    const auto before = store.asked.size();
    for (proxy::Duration passed{}; passed < time; passed += 100ms) {
      pass(100ms);
      if (store.asker) store.find(text);
    }
    return store.asked.size() - before;
  }
};

}  // namespace

TEST_SUITE("A login session that is watched") {
  TEST_CASE_FIXTURE(Fixture, "it is asked for once in each recheck, not all of them at once") {
    start();
    pass(22'400ms);
    CHECK(store.asked.empty());
    pass(7'600ms);
    CHECK(store.asked == std::vector<std::string>{"id-1"});
    store.find(record("alice", "editor"));
    const auto asked = questions_within(10min, record("alice", "editor"));
    CHECK(asked >= 20);
    CHECK(asked <= 27);
    CHECK(changes.empty());
    CHECK_FALSE(over);
  }

  TEST_CASE_FIXTURE(Fixture, "while it waits for an answer it asks no second time") {
    start();
    pass(30s);
    pass(1h);
    CHECK(store.asked.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "it is over when it is gone, nobody's, at its end or unreadable") {
    start();
    pass(30s);
    SUBCASE("gone") { store.miss(); }
    SUBCASE("nobody's") { store.find(R"({"cookie":{},"role":"editor"})"); }
    SUBCASE("unreadable") { store.find("{"); }
    SUBCASE("at its end") {
      store.find(record("alice", "editor", R"({"expires":"2026-11-30T00:53:20.000Z"})"));
    }
    CHECK(over == Goodbye::LoggedOut);
    pass(1h);
    CHECK(store.asked.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "it is over when it is somebody else's") {
    start();
    pass(30s);
    store.find(record("bob", "editor"));
    CHECK(over == Goodbye::PrincipalChanged);
    CHECK(changes.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "other claims are told, once") {
    start();
    pass(30s);
    store.find(record("alice", "viewer"));
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].first.claims.to_json() == R"({"role":"viewer"})");
    CHECK(changes[0].second);
    pass(30s);
    store.find(record("alice", "viewer"));
    CHECK(changes.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "another end is told") {
    start();
    pass(30s);
    store.find(record("alice", "editor", R"({"expires":"2026-11-30T01:00:00.000Z"})"));
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].first.good_until == begin + 400s);
    CHECK_FALSE(changes[0].second);
    pass(30s);
    store.find(record("alice", "editor"));
    REQUIRE(changes.size() == 2);
    CHECK_FALSE(changes[1].first.good_until);
  }

  TEST_CASE_FIXTURE(Fixture, "clocks that do not quite agree move no end") {
    start(record("alice", "editor", rolling), 60s);
    pass(30s);
    store.find(record("alice", "editor", rolling), 30'000ms - 900ms);
    CHECK(changes.empty());
    pass(29s);
    store.find(record("alice", "editor", rolling), 60s);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].first.good_until == begin + 119s);
  }

  TEST_CASE_FIXTURE(Fixture, "just before its end it is asked for once more") {
    settings.recheck = 1h;
    start(record("alice", "editor", rolling), 60s);
    pass(58'900ms);
    CHECK(store.asked.empty());
    pass(100ms);
    REQUIRE(store.asked.size() == 1);
    SUBCASE("and goes on if it has been prolonged") {
      store.find(record("alice", "editor", rolling), 60s);
      CHECK(changes.size() == 1);
      pass(59s);
      CHECK(store.asked.size() == 2);
    }
    SUBCASE("and no more if not") {
      store.find(record("alice", "editor", rolling), 1s);
      pass(30min);
      CHECK(store.asked.size() == 1);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "without its store it goes on for five minutes, asking") {
    start();
    pass(30s);
    bool hangs = false;
    SUBCASE("that refuses") {}
    SUBCASE("that hangs") { hangs = true; }
    store.go_away();
    store.open = hangs;
    const auto fails = [&](proxy::Duration time) {
      for (proxy::Duration passed{}; passed < time; passed += 1s) {
        pass(1s);
        if (store.asker) store.go_away();
      }
    };
    fails(4min + 59s);
    CHECK_FALSE(over);
    fails(1s);
    CHECK(over == Goodbye::SessionStoreAway);
  }

  TEST_CASE_FIXTURE(Fixture, "a store that is back within them begins anew") {
    settings.recheck = 1h;
    start();
    pass(1h);
    for (int i = 0; i < 2; ++i) {
      store.go_away();
      store.open = false;
      pass(4min);
      CHECK_FALSE(over);
      store.open = true;
      pass(30s);
      REQUIRE(store.asker);
      store.find(record("alice", "editor"));
      pass(1h);
      REQUIRE(store.asker);
    }
    CHECK_FALSE(over);
  }

  TEST_CASE_FIXTURE(Fixture, "once it is stopped it asks nobody, and takes back what it asked") {
    start();
    SUBCASE("before it asked") {
      watch->stop();
      pass(1h);
      CHECK(store.asked.empty());
    }
    SUBCASE("while it waits") {
      pass(30s);
      REQUIRE(store.asker);
      watch->stop();
      CHECK_FALSE(store.asker);
    }
  }
}
