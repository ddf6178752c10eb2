// One thread revokes while others let clients in, as workers do: a program of its own, so that it
// can be run by itself under ThreadSanitizer.
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/revocations.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace {

constexpr int workers = 3;
constexpr int rounds = 2'000;
constexpr auth::WallTime now{std::chrono::seconds(1'790'000'000)};

// A worker's share: it asks before it lets in, and looks at whom it let in when it is told to.
struct Worker {
  const Revocations& revocations;
  std::mutex mutex;  // a mailbox's
  bool told = false;
  std::vector<std::string> sessions = {};

  void tell() {
    const std::lock_guard lock(mutex);
    told = true;
  }
  bool read_letter() {
    {
      const std::lock_guard lock(mutex);
      if (!std::exchange(told, false)) return false;
    }
    std::erase_if(sessions, [&](const auto& who) { return revocations.closes(who, {}, now); });
    return true;
  }
  void admit(const std::string& subject) {
    if (!revocations.meets(subject, {}, now)) sessions.push_back(subject);
  }

  // Lets one in once it comes, reads one letter once there is one: whichever is first.
  void work(const std::atomic<int>& coming, int round) {
    const auto subject = "subject-" + std::to_string(round);
    bool admitted = false;
    bool read = false;
    while (!admitted || !read) {
      if (!read) read = read_letter();
      if (!admitted && coming == round) {
        admit(subject);
        admitted = true;
      }
      std::this_thread::yield();
    }
  }
};

}  // namespace

TEST_SUITE("Revoked while clients come in") {
  TEST_CASE("whoever was let in a moment before is closed, and nobody is let in after") {
    Revocations revocations;
    std::vector<std::unique_ptr<Worker>> all;
    for (int i = 0; i < workers; ++i) {
      all.push_back(std::unique_ptr<Worker>(new Worker{.revocations = revocations, .mutex = {}}));
    }
    std::atomic<int> coming = -1;  // who comes in, and is revoked at the same time
    std::atomic<int> done = 0;     // rounds, of all workers
    std::atomic<int> left_in = 0;
    std::vector<std::jthread> threads;
    for (auto& worker : all) {
      threads.emplace_back([&, &self = *worker] {
        for (int round = 0; round < rounds; ++round) {
          self.work(coming, round);
          left_in += static_cast<int>(self.sessions.size());
          for (++done; done < (round + 1) * workers;) std::this_thread::yield();
        }
      });
    }
    for (int round = 0; round < rounds; ++round) {
      coming = round;
      for (int wait = round % 8; wait > 0; --wait) std::this_thread::yield();
      revocations.add({"subject-" + std::to_string(round), now, now + 1h});
      for (auto& worker : all) worker->tell();
      while (done < (round + 1) * workers) std::this_thread::yield();
    }
    threads.clear();
    CHECK(left_in == 0);
    CHECK(revocations.closed() > 0);
    CHECK(revocations.closed() < rounds * workers);
  }
}
