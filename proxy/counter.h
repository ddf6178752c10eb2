// Numbers that one thread writes and any thread may read, for metrics. A write is a load, an
// addition and a store: no lock, and no instruction that keeps other processors waiting.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "proxy/timers.h"

namespace proxy {

// Only grows.
class Counter {
 public:
  void add(std::uint64_t more = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

// Comes and goes.
class Gauge {
 public:
  void add(std::int64_t more) { set(value() + more); }
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_ = 0;
};

// How many took how long. The bounds tell apart what nobody notices, what is slow and what is
// broken; more of them would say no more.
class LatencyHistogram {
 public:
  static constexpr std::array<std::chrono::milliseconds, 6> bounds{
      std::chrono::milliseconds(1),   std::chrono::milliseconds(5),
      std::chrono::milliseconds(25),  std::chrono::milliseconds(100),
      std::chrono::milliseconds(500), std::chrono::milliseconds(2'500)};
  static constexpr std::size_t buckets = bounds.size() + 1;  // the last is of what took longer

  void observe(Duration took) {
    std::size_t bucket = 0;
    while (bucket < bounds.size() && took > bounds[bucket]) ++bucket;
    counts_[bucket].add();
    nanoseconds_.add(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
  }

  // Of those up to bounds[bucket] and over the bound before it.
  std::uint64_t count(std::size_t bucket) const { return counts_[bucket].value(); }
  std::chrono::nanoseconds sum() const { return std::chrono::nanoseconds(nanoseconds_.value()); }

 private:
  std::array<Counter, buckets> counts_;
  Counter nanoseconds_;
};

// Messages, and the octets of their payload.
struct TrafficCounters {
  Counter messages;
  Counter octets;
};

}  // namespace proxy
