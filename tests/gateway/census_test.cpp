#include "gateway/census.h"

#include <deque>

#include <doctest/doctest.h>

#include "gateway/exchange.h"

using namespace std::chrono_literals;
using gateway::Census;
using gateway::Survey;
using gateway::Surveyed;

namespace {

// So many steps, one for each time it is asked.
struct Steps {
  int left;
  int taken = 0;

  bool step(const Surveyed&) {
    ++taken;
    return --left > 0;
  }
};

// The test runs the workers, one step at a time, and reads the mail of the one who asks.
struct Fixture {
  proxy::Timers timers{proxy::Instant{}};
  std::deque<proxy::Mailbox::Letter> letters;
  Census census{timers,
                [this](proxy::Mailbox::Letter letter) { letters.push_back(std::move(letter)); }};
  std::deque<Survey> first, second;
  gateway::Exchange exchange;
  gateway::Rooms rooms{0, exchange};
  std::vector<std::size_t> answers;  // walks that came back; 0: given up

  Fixture() {
    census.add_worker([this](Survey survey) { first.push_back(std::move(survey)); });
    census.add_worker([this](Survey survey) { second.push_back(std::move(survey)); });
  }

  void ask(int steps = 1) {
    census.ask<Steps>({steps}, [this](const auto& walks) { answers.push_back(walks.size()); });
  }
  // Whether it wants another one.
  bool step(std::deque<Survey>& worker) {
    if (worker.front()({{}, rooms, timers.now()})) return true;
    worker.pop_front();
    return false;
  }
  void read_mail() {
    for (; !letters.empty(); letters.pop_front()) letters.front()();
  }
  void pass(proxy::Duration time) {
    timers.advance_to({timers.now().monotonic + time, timers.now().wall + time});
  }
};

}  // namespace

TEST_SUITE("going through the sessions") {
  using Sessions = std::vector<std::unique_ptr<gateway::Session>>;

  TEST_CASE("each is met once, a slice at a time") {
    gateway::Exchange exchange;
    const gateway::Rooms rooms(0, exchange);
    Sessions sessions(2 * gateway::survey_slice + 7);
    std::vector<int> met(sessions.size());
    gateway::SessionCursor cursor;
    for (int slices = 1;; ++slices) {
      const auto slice = cursor.next_slice({sessions, rooms, {}});
      CHECK(slice.size() <= gateway::survey_slice);
      for (const auto& session : slice) ++met[static_cast<std::size_t>(&session - sessions.data())];
      CHECK(cursor.more() == (slices < 3));
      if (!cursor.more()) break;
    }
    CHECK(met == std::vector<int>(sessions.size(), 1));
  }

  TEST_CASE("where most of them go meanwhile, those that stay are met") {
    gateway::Exchange exchange;
    const gateway::Rooms rooms(0, exchange);
    Sessions sessions(3 * gateway::survey_slice);
    gateway::SessionCursor cursor;
    cursor.next_slice({sessions, rooms, {}});
    sessions.resize(5);
    CHECK(cursor.next_slice({sessions, rooms, {}}).size() == 5);
    CHECK_FALSE(cursor.more());
  }

  TEST_CASE("where there are none it is through at once") {
    gateway::Exchange exchange;
    const gateway::Rooms rooms(0, exchange);
    Sessions sessions;
    gateway::SessionCursor cursor;
    CHECK(cursor.next_slice({sessions, rooms, {}}).empty());
    CHECK_FALSE(cursor.more());
  }
}

TEST_SUITE("census") {
  TEST_CASE_FIXTURE(Fixture, "is answered when the last worker is through") {
    ask(2);
    CHECK(step(first));
    CHECK_FALSE(step(first));
    CHECK(step(second));
    read_mail();
    CHECK(answers.empty());
    CHECK_FALSE(step(second));
    read_mail();
    CHECK(answers == std::vector<std::size_t>{2});
  }

  TEST_CASE_FIXTURE(Fixture, "each worker has a walk of its own, which comes back") {
    std::vector<int> taken;
    census.ask<Steps>({3}, [&](const auto& walks) {
      for (const auto& walk : walks) taken.push_back(walk.taken);
    });
    while (step(second)) continue;
    while (step(first)) continue;
    read_mail();
    CHECK(taken == std::vector<int>{3, 3});
  }

  TEST_CASE_FIXTURE(Fixture, "a worker that does not answer for 2 s is waited for no longer") {
    ask();
    step(first);
    read_mail();
    pass(1'999ms);
    CHECK(answers.empty());
    pass(1ms);
    CHECK(answers == std::vector<std::size_t>{0});
    step(second);  // it comes too late
    read_mail();
    pass(10s);
    CHECK(answers.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "each question has its own 2 s") {
    ask();
    pass(1s);
    ask();
    pass(1s);
    CHECK(answers.size() == 1);
    pass(999ms);
    CHECK(answers.size() == 1);
    pass(1ms);
    CHECK(answers.size() == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "of too many questions at a time the last is not asked") {
    for (std::size_t i = 0; i < Census::asked_max; ++i) ask();
    CHECK(answers.empty());
    ask();
    CHECK(answers == std::vector<std::size_t>{0});
    CHECK(first.size() == Census::asked_max);
    step(first), step(second), read_mail();
    answers.clear();
    ask();
    CHECK(answers.empty());
  }
}
