// How a worker lets its clients go when the instance drains: each at a moment of its own within
// `drain.spread`, so that they do not come back all at once. A moment costs a client nothing: a
// timer of the worker has, tick by tick, as many of them go as are due, whichever these are.
//
// What comes before, the delay in which all are served, and what ends it, the timeout, is the
// Server's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/session.h"
#include "proxy/timers.h"

namespace gateway {

// How many go at a tick: of those that are left the share that the time since the last tick has in
// the time that is left. Those who leave by themselves change nothing for the others.
class DrainPace {
 public:
  DrainPace(proxy::MonotonicTime begin, proxy::Duration spread)
      : end_(begin + spread), ticked_(begin) {}

  // Of `left`, at `now`. `random`: any number; it decides where the share is no whole one, as that
  // of few clients is at nearly each tick.
  std::size_t due(std::size_t left, proxy::MonotonicTime now, std::uint32_t random);

  bool over(proxy::MonotonicTime now) const { return now >= end_; }

 private:
  proxy::MonotonicTime end_;
  proxy::MonotonicTime ticked_;
};

class Drain {
 public:
  using Sessions = std::vector<std::unique_ptr<Session>>;

  static constexpr std::chrono::milliseconds tick{20};
  // Of its reason, `retry_after_ms=…`: a client comes back after a time between nothing and this.
  static constexpr std::uint32_t retry_after_ms_max = 5'000;

  // `sessions` are the worker's; one that is gone has given its place to the last.
  Drain(proxy::Timers& timers, Sessions& sessions);

  // Once. What is added to the sessions from then on is not its.
  void begin(proxy::Duration spread);
  bool begun() const { return begun_; }

  void hasten();  // all that are left go now, whether it had begun or not

  static std::string reason();  // of a Close frame

 private:
  void on_tick();
  void let_one_go();

  proxy::Timers& timers_;
  Sessions& sessions_;
  bool begun_ = false;
  std::size_t left_ = 0;  // sessions at the front that have not been told to go; some may be gone
  DrainPace pace_{{}, {}};
  proxy::Timer timer_;
};

}  // namespace gateway
