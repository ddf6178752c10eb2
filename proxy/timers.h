// Deadlines of one worker.
//
// The clock never ticks by itself. The loop (or a test) tells it the time, and every timer that has
// come due fires. Time stands still while callbacks run.
#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <new>
#include <optional>
#include <type_traits>
#include <vector>

namespace proxy {

using Duration = std::chrono::steady_clock::duration;
using MonotonicTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

struct Instant {
  MonotonicTime monotonic;  // for intervals: heartbeats, deadlines, rate limits
  WallTime wall;            // for NumericDate claims (RFC 7519 section 2) and the audit log
};

class Timer;

// A binary heap of 16-octet entries: arming and disarming cost O(log n) and no allocation.
class Timers {
 public:
  explicit Timers(Instant start) : now_(start) {}

  Instant now() const { return now_; }

  // Moves the clock without firing anything.
  void set_now(Instant now) { now_ = now; }

  // Moves the clock and fires what is due. A timer that is armed again at once by its own callback
  // waits for the next call, so a call always ends.
  void advance_to(Instant now);

  std::optional<MonotonicTime> next_deadline() const;

 private:
  friend class Timer;
  struct Entry {
    MonotonicTime due;
    Timer* timer;
  };
  void insert(Entry entry);
  void remove(std::size_t place);
  void sift_up(std::size_t place);
  void sift_down(std::size_t place);
  void put(std::size_t place, Entry entry);

  Instant now_;
  std::vector<Entry> heap_;
};

// One deadline. Destroying it disarms it. Not movable: the queue points at it.
class Timer {
 public:
  // `on_due` captures one pointer, its owner's, or nothing: every idle connection has several
  // timers, and each holds no more than it needs.
  template <typename OnDue>
  Timer(Timers& timers, OnDue on_due) : timers_(timers), call_(call<OnDue>) {
    static_assert(sizeof(OnDue) <= sizeof captured_ && alignof(OnDue) <= alignof(void*));
    static_assert(std::is_trivially_copyable_v<OnDue>);
    new (captured_) OnDue(on_due);
  }
  ~Timer() { disarm(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void arm(Duration after);  // from now on; an armed timer is armed anew
  void disarm();
  bool armed() const { return place_ != nowhere; }

 private:
  friend class Timers;
  static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

  template <typename OnDue>
  static void call(void* captured) {
    (*std::launder(static_cast<OnDue*>(captured)))();
  }
  void fire() { call_(captured_); }

  Timers& timers_;
  void (*const call_)(void* captured);
  alignas(void*) std::byte captured_[sizeof(void*)] = {};
  std::size_t place_ = nowhere;  // in the heap
};

}  // namespace proxy
