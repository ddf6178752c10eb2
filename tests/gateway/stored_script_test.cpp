#include "gateway/stored_script.h"

#include <string>
#include <vector>

#include "tests/fakes/scripted_store.h"
#include "tests/gateway/captured_log.h"

using namespace gateway;
using namespace std::chrono_literals;
using Told = std::vector<std::string>;

namespace {

struct Fixture : StoredScript::Observer {
  tests::CapturedLog captured;
  Audit audit{captured.log()};
  proxy::Timers timers{proxy::Instant{}};
  tests::ScriptedStore store;
  StoredScript script{timers, store, audit, "messages", "return 1", *this};
  Told told;

  void on_usable() override { told.push_back("usable"); }
  void on_useless() override { told.push_back("useless"); }

  Told take() { return std::exchange(told, {}); }
  bool run(std::string_view key = "k") {
    const std::vector<std::string_view> keys{key};
    const std::vector<std::string_view> arguments{"a", "b"};
    return script.run(keys, arguments, [this](const proxy::RedisReply* reply) {
      told.push_back(reply ? "answer " + std::to_string(reply->integer().value_or(-1)) : "none");
    });
  }
  void begin() {
    store.open = true;
    script.on_up();
    store.answer_load();
    told.clear();
  }
  void pass(proxy::Duration time) {
    timers.advance_to({timers.now().monotonic + time, timers.now().wall});
  }
};

}  // namespace

TEST_SUITE("a script that Redis keeps") {
  TEST_CASE_FIXTURE(Fixture, "it is loaded once Redis is up, and run by its digest") {
    CHECK_FALSE(run());
    store.open = true;
    script.on_up();
    CHECK(store.asked.front().words == Told{"SCRIPT", "LOAD", "return 1"});
    CHECK_FALSE(run());
    store.answer_load();
    CHECK(take() == Told{"usable"});
    CHECK(run());
    CHECK(store.asked.front().words == Told{"EVALSHA", "digest", "1", "k", "a", "b"});
    CHECK(told.empty());
    store.answer(":7\r\n");
    CHECK(take() == Told{"answer 7"});
  }

  TEST_CASE_FIXTURE(Fixture, "with Redis away it is of no use, and what was asked has no answer") {
    begin();
    CHECK(run());
    store.residents.clear();
    store.down();
    script.on_down();
    CHECK(take() == Told{"none", "useless"});
    CHECK_FALSE(run());
    pass(1h);
    CHECK(store.asked.empty());
    CHECK(captured.lines().empty());  // that Redis is away others say
  }

  TEST_CASE_FIXTURE(Fixture, "one that Redis has forgotten is loaded again, once") {
    begin();
    CHECK(run());
    CHECK(run());
    store.answer("-NOSCRIPT No matching script\r\n");
    CHECK(take() == Told{"useless", "none"});
    store.answer("-NOSCRIPT No matching script\r\n");
    CHECK(take() == Told{"none"});
    store.answer_load();
    CHECK(take() == Told{"usable"});
    CHECK(store.asked.empty());
    CHECK(captured.lines().empty());
  }

  TEST_CASE_FIXTURE(Fixture,
                    "one that is forgotten as soon as it is loaded is not loaded on and on") {
    begin();
    for (int i = 0; i < 2; ++i) {
      CHECK(run());
      store.answer("-NOSCRIPT No matching script\r\n");
      if (i == 0) store.answer_load();
    }
    CHECK(take() == Told{"useless", "none", "usable", "useless", "none"});
    CHECK(store.asked.empty());
    pass(StoredScript::retry_after);
    store.answer_load();
    CHECK(run());
    store.answer(":1\r\n");
    CHECK(captured.lines().size() == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "a refusal is said once, and tried again until it is none") {
    begin();
    CHECK(run());
    store.answer("-NOPERM this user has no permissions\r\n");
    CHECK(take() == Told{"useless", "none"});
    for (int i = 0; i < 3; ++i) {
      CHECK_FALSE(run());
      pass(StoredScript::retry_after);
      store.answer("-NOPERM this user has no permissions\r\n");
    }
    pass(StoredScript::retry_after - 1ms);
    CHECK(store.asked.empty());
    pass(1ms);
    store.answer_load();
    CHECK(take() == Told{"usable"});
    CHECK(run());
    store.answer(":1\r\n");
    CHECK(
        captured.lines() ==
        Told{
            R"({"level":"warn","event":"global_limits_refused","what":"messages","reason":"NOPERM"})",
            R"({"level":"info","event":"global_limits_back","what":"messages"})"});
  }

  TEST_CASE_FIXTURE(Fixture, "loaded and refused again is not said again") {
    begin();
    for (int i = 0; i < 3; ++i) {
      CHECK(run());
      store.answer("-OOM command not allowed\r\n");
      pass(StoredScript::retry_after);
      store.answer_load();
    }
    CHECK(captured.lines().size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "where too much waits for Redis the load is tried again") {
    store.open = store.full = true;
    script.on_up();
    store.full = false;
    pass(StoredScript::retry_after);
    store.answer_load();
    CHECK(take() == Told{"usable"});
  }

  TEST_CASE_FIXTURE(Fixture, "a load that answers with no text is refused") {
    store.open = true;
    script.on_up();
    store.answer(":1\r\n");
    CHECK(told.empty());
    CHECK(captured.lines().at(0).contains("bad_reply"));
  }
}
