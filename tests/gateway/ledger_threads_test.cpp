// The Ledger from four threads at once: a program of its own, so that it can be run by itself under
// ThreadSanitizer.
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/ledger.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace {

constexpr int workers = 4;
constexpr int rounds = 5'000;

const Ledger::Time start{100h};

// Runs `work` on all workers at once. Returns the sum of what they return.
int on_all_workers(const std::function<int(int worker)>& work) {
  std::atomic<int> sum = 0;
  std::atomic<int> waiting = workers;
  std::vector<std::jthread> threads;
  for (int worker = 0; worker < workers; ++worker) {
    threads.emplace_back([&, worker] {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      sum += work(worker);
    });
  }
  threads.clear();
  return sum;
}

proxy::IpAddress nth_ip(int n) {
  return proxy::IpAddress::parse("10.0." + std::to_string(n / 256) + '.' + std::to_string(n % 256))
      .value();
}

}  // namespace

TEST_SUITE("four workers, one ledger") {
  TEST_CASE("an address has its permits once, whoever asks") {
    Ledger ledger(100);
    const auth::RateLimit limit{.permits_per_second = 1, .permits_max = 1'000};
    const int taken = on_all_workers([&](int) {
      int count = 0;
      for (int i = 0; i < rounds; ++i) {
        if (ledger.take_handshake(0, nth_ip(0), limit, start) == 0ms) ++count;
      }
      return count;
    });
    CHECK(taken == 1'000);
  }

  TEST_CASE("there are never more connections than the limit, and none is left over") {
    constexpr std::uint32_t connections_max = 3;
    Ledger ledger(connections_max);
    std::atomic<int> open = 0;
    const int accepted = on_all_workers([&](int) {
      int count = 0;
      for (int i = 0; i < rounds; ++i) {
        auto connection = ledger.accept();
        if (!connection) continue;
        ++count;
        CHECK(++open <= static_cast<int>(connections_max));
        if (i % 2 == 0) connection.established();
        auto moved = std::move(connection);
        --open;
      }
      return count;
    });
    CHECK(accepted >= rounds);
    CHECK(ledger.open() == 0);
    CHECK(ledger.admitting() == 0);
    CHECK_FALSE(ledger.admitting_crowded());
  }

  TEST_CASE("a subject and an address never have more connections than their limit") {
    Ledger ledger(1'000);
    std::atomic<int> open = 0;
    const int counted = on_all_workers([&](int) {
      int count = 0;
      for (int i = 0; i < rounds; ++i) {
        auto subject = ledger.count_subject(0, "alice", 2);
        if (!subject) continue;
        CHECK(++open <= 2);
        const auto address = ledger.count_address(0, nth_ip(0), 2);
        CHECK(address);
        ++count;
        --open;
        // Reverse order of destruction: the address is given back before the subject.
      }
      return count;
    });
    CHECK(counted >= rounds);
    CHECK(ledger.count_subject(0, "alice", 1));
    CHECK(ledger.count_address(0, nth_ip(0), 1));
  }

  TEST_CASE("a count taken on one worker is given back on another") {
    Ledger ledger(1'000);
    std::vector<Ledger::Count> held;
    for (int i = 0; i < rounds; ++i) {
      held.push_back(std::move(*ledger.count_subject(0, std::to_string(i % 10), rounds)));
    }
    on_all_workers([&](int worker) {
      for (int i = worker; i < rounds; i += workers) held[i] = {};
      return 0;
    });
    for (int i = 0; i < 10; ++i) CHECK(ledger.count_subject(0, std::to_string(i), 1));
  }

  TEST_CASE("searches for full buckets and newcomers meet") {
    Ledger ledger(100);
    const auth::RateLimit limit{.permits_per_second = 1'000, .permits_max = 1};
    const int taken = on_all_workers([&](int worker) {
      int count = 0;
      for (int i = 0; i < rounds; ++i) {
        const auto now = start + i * 10ms;
        const auto address = nth_ip((i * workers + worker) % 20'000);
        if (ledger.take_handshake(0, address, limit, now) == 0ms) ++count;
      }
      return count;
    });
    CHECK(taken == workers * rounds);
  }

  TEST_CASE("a subject and a room have their permits once, whoever asks") {
    Ledger ledger(100);
    const auth::RateLimit limit{.permits_per_second = 1, .permits_max = 1'000};
    const auto alice = ledger.subject_name(0, "alice");
    const int taken = on_all_workers([&](int) {
      int count = 0;
      for (int i = 0; i < rounds; ++i) {
        if (ledger.take_message(alice, limit, start) == 0ms) ++count;
        if (ledger.take_message(ledger.room_name("room:r"), limit, start) == 0ms) ++count;
      }
      return count;
    });
    CHECK(taken == 2'000);
  }

  TEST_CASE("never more octets are queued than the cap, and none is left over") {
    constexpr std::size_t queued_max = 1'000;
    Ledger ledger(100, queued_max);
    const int reserved = on_all_workers([&](int worker) {
      int count = 0;
      const std::size_t octets = 300 + static_cast<std::size_t>(worker);
      for (int i = 0; i < rounds; ++i) {
        if (!ledger.reserve_queued(octets)) continue;
        CHECK(ledger.queued() <= queued_max);
        ++count;
        ledger.release_queued(octets);
      }
      return count;
    });
    CHECK(reserved >= rounds);
    CHECK(ledger.queued() == 0);
  }
}
