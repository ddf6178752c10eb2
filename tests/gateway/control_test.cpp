#include "gateway/control.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/fakes/scripted_store.h"
#include "tests/gateway/captured_log.h"

using namespace gateway;
using namespace std::chrono_literals;
using auth::Revocation;

namespace {

constexpr proxy::WallTime begin{std::chrono::seconds(1'790'000'000)};
constexpr auth::WallTime now{std::chrono::seconds(1'790'000'000)};
constexpr auto longest = 1h;
constexpr auto lasts = longest + auth::clocks_apart_max;
constexpr proxy::IpAddress operators;

std::string bulk(std::string_view text) { return fmt::format("${}\r\n{}\r\n", text.size(), text); }

// A slice of the set, with any scores.
std::string scanned(std::string_view cursor, const std::vector<std::string>& members) {
  std::string reply = fmt::format("*2\r\n{}*{}\r\n", bulk(cursor), members.size() * 2);
  for (const auto& member : members) reply += bulk(member) + bulk("1");
  return reply;
}

struct Fixture {
  tests::CapturedLog captured;
  Audit audit{captured.log()};
  proxy::Timers timers{proxy::Instant{{}, begin}};
  Revocations revocations;
  std::vector<std::vector<ConnectionId>> walks;  // that were started
  Sweeps sweeps{revocations, audit, [this](auto what) { walks.push_back(*what); }};
  Control control{timers, revocations, sweeps, audit, longest};
  tests::ScriptedStore store;
  std::vector<Control::Outcome> outcomes;

  void pass(proxy::Duration time) {
    timers.advance_to({timers.now().monotonic + time, timers.now().wall + time});
  }
  void join() { control.join(store, "gatehouse"); }
  // Up, and what has ended is out of the set.
  void begin_loading() {
    store.up();
    CHECK(store.next().starts_with("ZREMRANGEBYSCORE gatehouse:revocations -inf "));
    store.answer(":0\r\n");
  }
  void come(const std::vector<std::string>& members = {}) {
    begin_loading();
    CHECK(store.next() == "ZSCAN gatehouse:revocations 0 COUNT 250");
    store.answer(scanned("0", members));
  }
  // Joined, loaded and settled, and nothing there.
  void up() {
    join();
    come();
    sweeps.on_swept();
    CHECK(store.settlements == 1);
  }
  void revoke(std::string subject, std::optional<auth::WallTime> issued_before = {}) {
    control.revoke({true, std::move(subject), issued_before}, operators,
                   [this](auto outcome) { outcomes.push_back(outcome); });
  }
  void revoke_token(std::string id) {
    control.revoke({false, std::move(id), {}}, operators,
                   [this](auto outcome) { outcomes.push_back(outcome); });
  }
  void hear(std::string_view text) { store.residents.at(0)->on_text(text); }
  void hear(const Revocation& revocation) { hear(auth::write_revocation(revocation)); }
  // As many as there are then.
  void fill(std::size_t size, std::chrono::milliseconds lasting = 1h) {
    for (std::size_t i = 0; revocations.size() < size; ++i) {
      revocations.add({fmt::format("s{}", i), now, now + lasting});
    }
  }
  bool revoked(std::string_view subject, auth::WallTime issued_at = now) {
    return revocations.meets(subject, {0, issued_at}, now);
  }
  // What Redis is asked to store, without the script.
  std::string next_stored() {
    if (store.asked.empty() || store.asked.front().words[0] != "EVAL") return store.next();
    auto words = store.asked.front().words;
    words.erase(words.begin(), words.begin() + 2);
    return fmt::format("{}", fmt::join(words, " "));
  }
};

std::string storing(const Revocation& revocation) {
  return fmt::format("1 gatehouse:revocations gatehouse:control {} {}",
                     revocation.until.time_since_epoch().count(),
                     auth::write_revocation(revocation));
}

const Revocation of_alice{"alice", now, now + lasts};
const Revocation of_bob{"bob", now - 1min, now + 30min};

using Outcomes = std::vector<Control::Outcome>;

}  // namespace

TEST_SUITE("CONTRACT 7: revocation without Redis") {
  TEST_CASE_FIXTURE(Fixture, "is loaded, and what is revoked is revoked here") {
    CHECK(revocations.loaded());
    revoke("alice");
    CHECK(outcomes == Outcomes{Control::Outcome::Unstored});
    CHECK(revoked("alice"));
    CHECK_FALSE(revoked("alice", now + 1ms));
    CHECK_FALSE(revoked("bob"));
    CHECK(walks.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "what is revoked lasts as long as its longest token, and is forgotten") {
    revoke("alice");
    revoke_token("5f0c");
    pass(lasts - 1s);
    CHECK(revocations.size() == 2);
    pass(11s);
    CHECK(revocations.size() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "no other instance can be asked to close a connection") {
    std::optional<Elsewhere> answer;
    control.close_elsewhere({}, [&](auto its) { answer = its; });
    CHECK(answer == Elsewhere::Nobody);
  }
}

TEST_SUITE("CONTRACT 7: revocation, loading") {
  TEST_CASE_FIXTURE(Fixture, "nothing is loaded until the whole set has been read") {
    join();
    CHECK(store.residents.at(0)->channel() == "gatehouse:control");
    CHECK_FALSE(revocations.loaded());
    begin_loading();
    store.answer(scanned("17", {auth::write_revocation(of_alice)}));
    CHECK(revoked("alice"));
    CHECK_FALSE(revocations.loaded());
    CHECK(store.next() == "ZSCAN gatehouse:revocations 17 COUNT 250");
    CHECK(store.settlements == 0);
    store.answer(scanned("0", {auth::write_revocation(of_bob)}));
    CHECK(revoked("bob", now - 1min));
    CHECK(revocations.loaded());
    CHECK(store.settlements == 1);
    CHECK(store.asked.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "sessions are looked at after what was loaded") {
    join();
    come({auth::write_revocation(of_alice)});
    CHECK(walks.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "what has ended, is no revocation or comes twice does no harm") {
    join();
    come({"rubbish", auth::write_revocation({"carol", now, now}), auth::write_revocation(of_alice),
          auth::write_revocation(of_alice), ""});
    CHECK(revocations.size() == 1);
    CHECK(revocations.loaded());
    CHECK(control.invalid() == 2);
    CHECK(store.settlements == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "an error, or what is no answer to that, is a reason to be away") {
    store.may_be_given_up = true;
    join();
    begin_loading();
    SUBCASE("error") {
      store.answer("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
      CHECK(store.given_up == "WRONGTYPE");
    }
    SUBCASE("answer") {
      store.answer(":1\r\n");
      CHECK(store.given_up == "bad_reply");
    }
    SUBCASE("list") {
      store.answer("*2\r\n$1\r\n0\r\n:0\r\n");
      CHECK(store.given_up == "bad_reply");
    }
    SUBCASE("null") {
      store.answer("*2\r\n$1\r\n0\r\n*-1\r\n");
      CHECK(store.given_up == "bad_reply");
    }
    CHECK_FALSE(revocations.loaded());
    CHECK(store.settlements == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "more than can be kept: nobody is let in, and the bus is away") {
    store.may_be_given_up = true;
    up();
    CHECK(revocations.loaded());
    fill(Revocations::revocations_max);
    SUBCASE("heard") { hear(of_alice); }
    SUBCASE("loaded") {
      store.down();
      come({auth::write_revocation(of_alice)});
      CHECK(store.settlements == 1);
    }
    CHECK(store.given_up == "too_many_revocations");
    CHECK_FALSE(revocations.loaded());
  }

  TEST_CASE_FIXTURE(Fixture, "a set that is endless is given up") {
    store.may_be_given_up = true;
    join();
    begin_loading();
    const std::vector<std::string> rubbish(500, "rubbish");
    for (std::size_t i = 0; i < Control::members_max / rubbish.size(); ++i) {
      store.answer(scanned("1", rubbish));
    }
    CHECK(store.given_up.empty());
    store.answer(scanned("1", {"rubbish"}));
    CHECK(store.given_up == "too_many_revocations");
  }

  TEST_CASE_FIXTURE(Fixture, "a connection that is lost meanwhile: from the beginning next time") {
    join();
    begin_loading();
    store.answer(scanned("17", {auth::write_revocation(of_alice)}));
    store.down();
    CHECK(store.settlements == 0);
    come({auth::write_revocation(of_alice)});
    CHECK(store.settlements == 1);
    CHECK(store.asked.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "once loaded it stays so while Redis is away") {
    up();
    store.down();
    CHECK(revocations.loaded());
  }
}

TEST_SUITE("CONTRACT 7: revocation, storing") {
  TEST_CASE_FIXTURE(Fixture, "it holds here at once, and is answered when Redis has answered") {
    up();
    revoke("alice");
    CHECK(revoked("alice"));
    CHECK(walks.size() == 2);  // one was after the load
    CHECK(outcomes.empty());
    CHECK(next_stored() == storing(of_alice));
    store.answer(":1\r\n");
    CHECK(outcomes == Outcomes{Control::Outcome::Stored});
    CHECK(revocations.unstored(1).empty());
  }

  TEST_CASE_FIXTURE(Fixture, "of an id, and of a time") {
    up();
    revoke_token("5f0c");
    CHECK(next_stored() == storing({"5f0c", {}, now + lasts}));
    store.answer(":1\r\n");
    revoke("alice", now - 1h);
    CHECK(next_stored() == storing({"alice", now - 1h, now + lasts}));
    CHECK(revoked("alice", now - 1h));
    CHECK_FALSE(revoked("alice", now - 1h + 1ms));
  }

  TEST_CASE_FIXTURE(Fixture, "what it takes the place of is removed") {
    up();
    revoke("alice");
    store.answer(":1\r\n");
    pass(1s);
    revoke("alice");
    const Revocation later{"alice", now + 1s, now + 1s + lasts};
    CHECK(next_stored() == storing(later) + " " + auth::write_revocation(of_alice));
  }

  TEST_CASE_FIXTURE(Fixture, "a part of a millisecond is not lost") {
    up();
    pass(300us);
    revoke("alice");
    CHECK(revoked("alice", now + 1ms));
  }

  TEST_CASE_FIXTURE(Fixture, "one that Redis does not take, or was lost with, is stored later") {
    up();
    revoke("alice");
    SUBCASE("refused") {
      store.answer("-OOM command not allowed when used memory > 'maxmemory'\r\n");
      CHECK(outcomes == Outcomes{Control::Outcome::Unstored});
      pass(Control::tidy_interval);
      store.answer(":0\r\n");  // ZREMRANGEBYSCORE
      store.answer(":0\r\n");  // ZCOUNT
      CHECK(next_stored() == storing(of_alice));
    }
    SUBCASE("lost") {
      store.down();
      CHECK(outcomes == Outcomes{Control::Outcome::Unstored});
      come();
      CHECK(next_stored() == storing(of_alice));
    }
    store.answer(":1\r\n");
    CHECK(revocations.unstored(1).empty());
    CHECK(outcomes.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "while Redis is away it holds here, and is stored before it is back") {
    join();
    revoke("alice");
    CHECK(outcomes == Outcomes{Control::Outcome::Unstored});
    CHECK(revoked("alice"));
    come();
    CHECK(revocations.loaded());
    CHECK(store.settlements == 0);
    CHECK(next_stored() == storing(of_alice));
    store.answer(":1\r\n");
    CHECK(store.settlements == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "what Redis has lost is stored again, and what it has is not") {
    up();
    hear(of_alice);
    hear(of_bob);
    CHECK(store.asked.empty());
    store.down();
    come({auth::write_revocation(of_bob)});
    CHECK(next_stored() == storing(of_alice));
    store.answer(":1\r\n");
    CHECK(store.asked.empty());
    CHECK(store.settlements == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "many are stored by the slice") {
    join();
    for (std::size_t i = 0; i < Control::slice + 1; ++i) revoke(fmt::format("s{}", i));
    come();
    CHECK(store.asked.size() == Control::slice);
    for (std::size_t i = 0; i < Control::slice; ++i) store.answer(":1\r\n");
    CHECK(store.asked.size() == 1);
    CHECK(store.settlements == 0);
    store.answer(":1\r\n");
    CHECK(store.settlements == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a Redis that takes nothing has been read, and is asked again later") {
    join();
    revoke("alice");
    come();
    store.answer("-READONLY You can't write against a read only replica.\r\n");
    CHECK(store.settlements == 1);
    CHECK(store.asked.empty());
    CHECK(revocations.loaded());
    pass(Control::tidy_interval);
    CHECK(store.asked.size() == 2);
    CHECK(store.settlements == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "too many: nothing is done, but what is known may be said again") {
    fill(Control::asked_max);
    revoke("alice");
    CHECK(outcomes == Outcomes{Control::Outcome::TooMany});
    CHECK(walks.empty());
    CHECK_FALSE(revoked("alice"));
    revoke("s7");
    CHECK(outcomes.back() == Control::Outcome::Unstored);
  }

  TEST_CASE_FIXTURE(Fixture, "what others took while there was room is kept when there is none") {
    up();
    fill(Control::asked_max);
    hear(of_alice);
    CHECK(revoked("alice"));
    CHECK(revocations.loaded());
  }

  TEST_CASE_FIXTURE(Fixture, "what has ended makes room at once") {
    up();
    fill(Revocations::revocations_max, 5s);
    pass(6s);
    SUBCASE("for who asks") { revoke("alice"); }
    SUBCASE("for what is heard") { hear({"alice", now + 6s, now + 1h}); }
    CHECK(revoked("alice"));
    CHECK(revocations.loaded());
  }
}

TEST_SUITE("CONTRACT 7: revocation, looking after the set") {
  TEST_CASE_FIXTURE(Fixture, "what has ended is removed, and what is missing stored again") {
    up();
    hear(of_alice);
    hear(of_bob);
    pass(Control::tidy_interval);
    CHECK(store.next() == "ZREMRANGEBYSCORE gatehouse:revocations -inf 1790000010000");
    store.answer(":0\r\n");
    CHECK(store.next() == "ZCOUNT gatehouse:revocations (1790000070000 +inf");
    SUBCASE("nothing is missing") {
      store.answer(":2\r\n");
      CHECK(store.asked.empty());
    }
    SUBCASE("one is: no one knows which") {
      store.answer(":1\r\n");
      CHECK(store.asked.size() == 2);
      CHECK(next_stored() == storing(of_alice));
    }
  }

  TEST_CASE_FIXTURE(Fixture, "what ends soon may be missing: another clock may be ahead") {
    up();
    hear({"carol", now, now + auth::clocks_apart_max + 10s});
    pass(Control::tidy_interval);
    store.answer(":0\r\n");
    store.answer(":0\r\n");
    CHECK(store.asked.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "Redis is not asked while it is away or being read") {
    join();
    pass(Control::tidy_interval);
    CHECK(store.asked.empty());
    begin_loading();
    pass(Control::tidy_interval);
    CHECK(store.asked.size() == 1);
  }
}

TEST_SUITE("The control channel (SECURITY 23)") {
  TEST_CASE_FIXTURE(Fixture, "what another instance revoked is revoked here, and looked for once") {
    up();
    hear(of_alice);
    CHECK(revoked("alice"));
    CHECK(walks.size() == 2);
    sweeps.on_swept();
    hear(of_alice);
    CHECK(walks.size() == 2);
    CHECK(control.invalid() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "it is heard while the set is being read") {
    join();
    begin_loading();
    hear(of_alice);
    CHECK(revoked("alice"));
    store.answer(scanned("0", {}));
    CHECK(store.asked.empty());  // it is in the set: whoever said so stored it first
    CHECK(store.settlements == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "what has ended on its way is nothing") {
    up();
    hear({"alice", now, now});
    CHECK(revocations.size() == 0);
    CHECK(control.invalid() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "anything else is dropped and counted") {
    up();
    for (const auto* text :
         {"", "rubbish", R"({"type":"message","room":"r"})", R"({"type":"revoke"})",
          R"({"type":"close"})", R"({"type":"close","connection":""})",
          R"({"type":"close","connection":"0123456789ABCDEF"})",
          R"({"type":"close","connection":"0123456789abcdef0"})",
          R"({"type":"close","connection":"0123456789abcdef"} )",
          R"({"type":"close","connection":"0123456789abcdef","more":1})"}) {
      CAPTURE(text);
      const auto invalid = control.invalid();
      hear(text);
      CHECK(control.invalid() == invalid + 1);
    }
    hear(std::string(1024 * 1024, 'x'));
    CHECK(walks.size() == 1);
    CHECK(revocations.size() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "a connection that is to be closed is looked for") {
    up();
    hear(R"({"type":"close","connection":"0123456789abcdef"})");
    REQUIRE(walks.size() == 2);
    CHECK(walks.back() == std::vector{*parse_connection_id("0123456789abcdef")});
    CHECK(control.invalid() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "another instance is asked to close one, if there is another") {
    up();
    std::vector<Elsewhere> answers;
    const auto close = [&] {
      control.close_elsewhere(*parse_connection_id("0123456789abcdef"),
                              [&](auto answer) { answers.push_back(answer); });
    };
    close();
    CHECK(store.next() ==
          R"(PUBLISH gatehouse:control {"type":"close","connection":"0123456789abcdef"})");
    store.answer(":2\r\n");
    close();
    store.answer(":1\r\n");
    close();
    store.answer("-NOPERM no\r\n");
    close();
    store.down();
    close();
    CHECK(answers == std::vector{Elsewhere::Told, Elsewhere::Nobody, Elsewhere::Unreachable,
                                 Elsewhere::Unreachable, Elsewhere::Unreachable});
  }
}
