#include "proxy/timers.h"

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;

namespace tests {

namespace {
struct Clock {
  proxy::Timers timers{proxy::Instant{}};
  void pass(proxy::Duration time) {
    auto now = timers.now();
    timers.advance_to({now.monotonic + time, now.wall});
  }
};
}  // namespace

TEST_SUITE("timers") {
  TEST_CASE_FIXTURE(Clock, "a timer fires once, when its time has come, and not before") {
    int fired = 0;
    proxy::Timer timer(timers, [&] { ++fired; });
    timer.arm(10ms);
    pass(9ms);
    CHECK(fired == 0);
    pass(1ms);
    CHECK(fired == 1);
    CHECK_FALSE(timer.armed());
    pass(1h);
    CHECK(fired == 1);
  }

  TEST_CASE_FIXTURE(Clock, "a timer that is disarmed or destroyed does not fire") {
    int fired = 0;
    proxy::Timer disarmed(timers, [&] { ++fired; });
    disarmed.arm(1ms);
    disarmed.disarm();
    auto destroyed = std::make_unique<proxy::Timer>(timers, [&] { ++fired; });
    destroyed->arm(1ms);
    destroyed.reset();
    pass(1s);
    CHECK(fired == 0);
    CHECK_FALSE(timers.next_deadline());
  }

  TEST_CASE_FIXTURE(Clock, "arming an armed timer moves its deadline") {
    int fired = 0;
    proxy::Timer timer(timers, [&] { ++fired; });
    timer.arm(10ms);
    timer.arm(20ms);
    pass(15ms);
    CHECK(fired == 0);
    pass(5ms);
    CHECK(fired == 1);
  }

  TEST_CASE_FIXTURE(Clock, "a timer that arms itself for at once does not keep the loop") {
    struct Restless {
      explicit Restless(proxy::Timers& timers) : timer(timers, [this] { again(); }) { again(); }
      void again() {
        ++armed;
        timer.arm(0ms);
      }
      int armed = 0;
      proxy::Timer timer;
    } restless(timers);
    pass(1ms);
    CHECK(restless.armed == 2);
    pass(0ms);
    CHECK(restless.armed == 3);
  }

  TEST_CASE_FIXTURE(Clock, "timers fire in the order of their deadlines, however they were armed") {
    std::mt19937 random(6455);
    struct Noted {
      Noted(proxy::Timers& timers, std::vector<int>& fired, int due)
          : timer(timers, [this] { list.push_back(at); }), list(fired), at(due) {
        timer.arm(std::chrono::milliseconds(due));
      }
      proxy::Timer timer;
      std::vector<int>& list;
      const int at;
    };
    std::vector<int> fired;
    std::vector<std::unique_ptr<Noted>> all;
    for (int i = 0; i < 500; ++i) {
      all.push_back(std::make_unique<Noted>(timers, fired, static_cast<int>(random() % 1000)));
    }
    for (std::size_t i = 0; i < all.size(); i += 3) all[i]->timer.disarm();
    pass(1s);
    CHECK(fired.size() == 333);
    CHECK(std::ranges::is_sorted(fired));
  }

  TEST_CASE_FIXTURE(Clock, "a timer may destroy another that is due at the same time") {
    int fired = 0;
    auto second = std::make_unique<proxy::Timer>(timers, [&] { ++fired; });
    proxy::Timer first(timers, [&] { second.reset(); });
    first.arm(1ms);
    second->arm(2ms);
    pass(5ms);
    CHECK(fired == 0);
  }
}

}  // namespace tests
