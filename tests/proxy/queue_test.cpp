// What the gateway itself has for a client: queued, written when the iteration of the loop ends.
#include <string>

#include <doctest/doctest.h>

#include "tests/proxy/relay_fixture.h"

using namespace std::chrono_literals;

namespace tests {

namespace {

proxy::RelaySettings small_queue() {
  auto settings = relay_settings();
  settings.client.unsent_octets_max = 1000;
  settings.client.stall_timeout = 1s;
  return settings;
}

struct QueueFixture : RelayFixture {
  QueueFixture() : RelayFixture(small_queue()) {}

  void tell(std::string_view text) { relay.tell(proxy::share(unmasked(0x81, text))); }
  std::vector<std::string> payloads_at_client() {
    std::vector<std::string> payloads;
    for (auto& frame : at_client()) payloads.push_back(frame.payload);
    return payloads;
  }
};

using Strings = std::vector<std::string>;

// A process in which little may wait.
struct SmallBudget final : proxy::QueueBudget {
  bool reserve_queued(std::size_t octets) override {
    if (reserved + octets > 100) return false;
    reserved += octets;
    return true;
  }
  void release_queued(std::size_t octets) override { reserved -= octets; }

  std::size_t reserved = 0;
};

struct BudgetFixture {
  SmallBudget budget;
  struct Pair : RelayFixture {
    explicit Pair(SmallBudget& budget)
        : RelayFixture([&] {
            auto settings = relay_settings();
            settings.backend.unsent_octets_high = settings.client.unsent_octets_high = 1 << 20;
            settings.client.queue_budget = settings.backend.queue_budget = &budget;
            return settings;
          }()) {
      client->takes_octets = backend->takes_octets = false;
    }
    void tell(std::size_t octets) {
      relay.tell(proxy::share(std::string(octets, 'x')));
      flushes.flush();
    }
  };
};

}  // namespace

TEST_SUITE("queued frames") {
  TEST_CASE_FIXTURE(QueueFixture, "all of one iteration go out in one write, in order") {
    tell("a");
    tell("b");
    tell("c");
    CHECK(client->received.empty());
    flushes.flush();
    CHECK(client->writes == 1);
    CHECK(payloads_at_client() == Strings{"a", "b", "c"});
  }

  TEST_CASE_FIXTURE(QueueFixture, "more than one write takes keep their order") {
    Strings all;
    for (int i = 0; i < 150; ++i) tell(all.emplace_back(std::to_string(i)));
    flushes.flush();
    CHECK(payloads_at_client() == all);
  }

  TEST_CASE_FIXTURE(QueueFixture, "a backend's frame does not overtake them") {
    tell("first");
    backend->send(unmasked(0x81, "second"));
    flushes.flush();
    CHECK(payloads_at_client() == Strings{"first", "second"});
  }

  TEST_CASE_FIXTURE(QueueFixture, "nor does the Close") {
    tell("first");
    relay.close(proxy::StatusCode::GoingAway, {});
    auto frames = at_client();
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].payload == "first");
    CHECK(frames[1].first == 0x88);
  }

  TEST_CASE_FIXTURE(QueueFixture, "after the Close nothing is queued") {
    relay.close(proxy::StatusCode::GoingAway, {});
    (void)client->read();
    tell("late");
    flushes.flush();
    CHECK(client->received.empty());
  }

  TEST_CASE_FIXTURE(QueueFixture, "behind what is unsent they wait as references") {
    client->takes_octets = false;
    tell("a");
    flushes.flush();
    (void)client->read();
    auto frame = proxy::share(unmasked(0x81, "b"));
    relay.tell(frame);
    flushes.flush();
    CHECK(client->received.empty());
    CHECK(frame.use_count() == 2);
    client->takes_octets = true;
    client->take(client->unsent);
    CHECK(payloads_at_client() == Strings{"b"});
    CHECK(frame.use_count() == 1);
  }

  TEST_CASE_FIXTURE(QueueFixture, "what waits counts as congestion for the backend") {
    client->takes_octets = false;
    tell(std::string(60, 'x'));
    flushes.flush();
    tell(std::string(60, 'x'));
    flushes.flush();
    backend->send(unmasked(0x81, "y"));
    CHECK_FALSE(backend->reading);
    client->takes_octets = true;
    client->take(client->unsent);
    CHECK(backend->reading);
  }

  TEST_CASE_FIXTURE(QueueFixture, "a reader that leaves over the maximum waiting is told 1013") {
    client->takes_octets = false;
    tell(std::string(500, 'x'));
    flushes.flush();
    tell(std::string(490, 'x'));
    flushes.flush();
    pass(0ms);
    CHECK(relay.open());
    tell(std::string(20, 'x'));
    CHECK(relay.open());  // a call down never calls up
    pass(0ms);
    CHECK_FALSE(relay.open());
    CHECK(gate.end->cause == Cause::Stalled);
    CHECK(gate.told == 1013);
  }

  TEST_CASE_FIXTURE(QueueFixture, "one that takes what waits may have as much again") {
    for (int i = 0; i < 10; ++i) {
      tell(std::string(900, 'x'));
      flushes.flush();
      pass(1ms);
    }
    CHECK(relay.open());
  }

  TEST_CASE_FIXTURE(QueueFixture, "one that takes all of it may have more than that at once") {
    Strings all;
    for (int i = 0; i < 10; ++i) tell(all.emplace_back(900, static_cast<char>('a' + i)));
    pass(0ms);
    CHECK(relay.open());
    flushes.flush();
    CHECK(payloads_at_client() == all);
  }

  TEST_CASE_FIXTURE(QueueFixture, "one that leaves the first of it lying is told 1013") {
    client->takes_octets = false;
    for (int i = 0; i < 3; ++i) tell(std::string(900, 'x'));
    pass(0ms);
    CHECK(gate.told == 1013);
  }

  TEST_CASE_FIXTURE(QueueFixture, "one that takes nothing for the stall timeout is told 1013") {
    client->takes_octets = false;
    tell("a");
    flushes.flush();
    for (int i = 0; i < 4; ++i) pass(settings.client.stall_timeout / 4);
    CHECK(gate.told == 1013);
  }
}

TEST_SUITE("queued frames: the whole process") {
  constexpr std::size_t uncounted = proxy::queue_free_octets;

  TEST_CASE_FIXTURE(BudgetFixture, "what waits is counted until it has gone") {
    Pair pair(budget);
    pair.tell(uncounted + 60);
    CHECK(budget.reserved == 60);
    pair.tell(30);
    CHECK(budget.reserved == 90);
    pair.client->take(uncounted + 60);
    CHECK(budget.reserved == 0);
  }

  TEST_CASE_FIXTURE(BudgetFixture, "what a frame of the other side leaves waiting is counted too") {
    Pair pair(budget);
    auto frame = masked(0x82, std::string(uncounted, 'x'));
    pair.client->send(frame);
    CHECK(budget.reserved == frame.size() - uncounted);
  }

  TEST_CASE_FIXTURE(BudgetFixture, "over it the peer that would wait is told 1013, nobody else") {
    Pair first(budget);
    Pair second(budget);
    first.tell(uncounted + 60);
    second.tell(uncounted + 60);
    second.pass(0ms);
    CHECK(second.gate.told == 1013);
    first.pass(0ms);
    CHECK(first.relay.open());
  }

  TEST_CASE_FIXTURE(BudgetFixture,
                    "who waits for little is not let go because others hold it all") {
    Pair greedy(budget);
    Pair modest(budget);
    greedy.tell(uncounted + 100);
    modest.tell(uncounted);
    modest.pass(0ms);
    CHECK(modest.relay.open());
  }

  TEST_CASE_FIXTURE(BudgetFixture,
                    "a peer that is gone waits for nothing, though the other is there") {
    Pair pair(budget);
    pair.tell(uncounted + 60);
    pair.client->vanish();
    CHECK_FALSE(pair.gate.gone);
    CHECK(budget.reserved == 0);
  }

  TEST_CASE_FIXTURE(BudgetFixture, "nor does one that was dropped") {
    {
      Pair pair(budget);
      pair.tell(uncounted + 60);
    }
    CHECK(budget.reserved == 0);
  }
}

}  // namespace tests
