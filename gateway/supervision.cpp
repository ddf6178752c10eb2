#include "gateway/supervision.h"

#include <cstdlib>
#include <vector>

#include <unistd.h>

namespace gateway {

namespace {

// Looks at nothing: that a worker sends it back is what is asked.
struct SignOfLife {
  static constexpr bool finds_nothing = true;

  bool step(const Surveyed&) { return false; }
};

}  // namespace

Supervision::Supervision(proxy::Timers& timers, Census& census)
    : census_(census),
      notice_(std::getenv("NOTIFY_SOCKET")),
      interval_(proxy::watchdog_interval(std::getenv("WATCHDOG_USEC"), std::getenv("WATCHDOG_PID"),
                                         getpid())),
      next_(timers, [this] { ask_workers(); }) {}

void Supervision::ready() {
  notice_.say("READY=1");
  if (interval_) ask_workers();
}

void Supervision::stopping() { notice_.say("STOPPING=1"); }

void Supervision::ask_workers() {
  next_.arm(*interval_ / asked_per_interval);
  census_.ask<SignOfLife>({}, [this](const std::vector<SignOfLife>& alive) {
    if (!alive.empty()) notice_.say("WATCHDOG=1");
  });
}

}  // namespace gateway
