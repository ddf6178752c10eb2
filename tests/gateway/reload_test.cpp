#include "gateway/reload.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/gateway/captured_log.h"

using namespace gateway;

namespace {

// Loading and adopting are the test's.
struct Fixture {
  tests::CapturedLog captured;
  Audit audit{captured.log()};
  proxy::Timers timers{proxy::Instant{}};
  Policy policy;
  std::vector<PolicyError> faults;  // of the next load
  int loads = 0;
  std::vector<Reload::Done> adopting;
  Reload reload{timers, audit, policy,
                [this]() -> std::expected<LoadedPolicy, std::vector<PolicyError>> {
                  ++loads;
                  if (!faults.empty()) return std::unexpected(faults);
                  return LoadedPolicy{std::make_shared<const Policy>(policy), {}};
                },
                [this](auto, auto done) { adopting.push_back(std::move(done)); }};

  // Every connection has been asked.
  void adopted(const AdoptionTally& tally = {}) {
    REQUIRE_FALSE(adopting.empty());
    auto done = std::move(adopting.front());
    adopting.erase(adopting.begin());
    done(tally);
  }
  std::vector<std::string> lines(std::string_view event) {
    std::vector<std::string> found;
    for (auto& line : captured.lines()) {
      if (line.contains(event)) found.push_back(line);
    }
    return found;
  }
};

}  // namespace

TEST_SUITE("Loading the policy again") {
  TEST_CASE("is answered, and written down, when all connections have been asked") {
    Fixture test;
    int answers = 0;
    CHECK(test.reload.ask("api", [&](const Reloaded& reloaded) {
      ++answers;
      CHECK(reloaded.faults.empty());
      CHECK(reloaded.connections.closed == 2);
    }));
    CHECK(test.loads == 1);
    CHECK(answers == 0);
    test.adopted({5, 2, 3});
    CHECK(answers == 1);
    CHECK(test.reload.succeeded() == 1);
    CHECK(test.lines("policy_reloaded") ==
          std::vector<std::string>{
              R"({"level":"info","event":"policy_reloaded","asked_by":"api","warnings":0,)"
              R"("connections":5,"closed":2,"rooms_left":3,"duration_ms":0})"});
  }

  TEST_CASE("that fails brings nothing into force, and every fault is said with its place") {
    Fixture test;
    test.faults = {{"policy.yaml", 12, 5, "unknown key"}, {"policy.yaml", 13, 1, "also wrong"}};
    std::size_t faults = 0;
    CHECK(test.reload.ask("signal",
                          [&](const Reloaded& reloaded) { faults = reloaded.faults.size(); }));
    CHECK(faults == 2);
    CHECK(test.adopting.empty());
    CHECK(test.reload.failed() == 1);
    CHECK(test.reload.succeeded() == 0);
    CHECK(
        test.lines("policy_") ==
        std::vector<std::string>{
            R"({"level":"error","event":"policy_fault","fault":"policy.yaml:12:5: unknown key"})",
            R"({"level":"error","event":"policy_fault","fault":"policy.yaml:13:1: also wrong"})",
            R"({"level":"error","event":"policy_reload_failed","asked_by":"signal","faults":2})"});
  }

  TEST_CASE("is one at a time: what is asked for meanwhile is one more afterwards") {
    Fixture test;
    int answers = 0;
    const auto count = [&](const Reloaded&) { ++answers; };
    CHECK(test.reload.ask("signal"));
    for (int i = 0; i < 5; ++i) CHECK(test.reload.ask("signal"));
    for (int i = 0; i < 3; ++i) CHECK(test.reload.ask("api", count));
    CHECK(test.loads == 1);
    test.adopted();
    CHECK(test.loads == 2);
    CHECK(answers == 0);
    test.adopted();
    CHECK(test.loads == 2);
    CHECK(answers == 3);
    CHECK(test.reload.ask("signal"));
    CHECK(test.loads == 3);
  }

  TEST_CASE("begins no more once it was stopped, whoever asked for it") {
    Fixture test;
    CHECK(test.reload.ask("api"));
    CHECK(test.reload.ask("signal"));
    test.reload.stop();
    CHECK_FALSE(test.reload.ask("signal"));
    test.adopted();
    CHECK(test.loads == 1);
    CHECK(test.reload.succeeded() == 1);
  }

  TEST_CASE("is waited for by so many, and no more") {
    Fixture test;
    CHECK(test.reload.ask("signal"));
    int answers = 0;
    for (std::size_t i = 0; i < Reload::waiting_max; ++i) {
      CHECK(test.reload.ask("api", [&](const Reloaded&) { ++answers; }));
    }
    CHECK_FALSE(test.reload.ask("api", [&](const Reloaded&) { ++answers; }));
    CHECK(test.reload.ask("signal"));
    test.adopted();
    test.adopted();
    CHECK(answers == static_cast<int>(Reload::waiting_max));
  }
}
