// Run under ThreadSanitizer too: what crosses from one thread to another does so here alone.
#include <array>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/loop.h"
#include "proxy/mailbox.h"

namespace tests {

TEST_SUITE("mailbox") {
  TEST_CASE("every letter of every thread is read once, and each thread's in order") {
    constexpr std::size_t threads = 4;
    constexpr std::size_t letters = 5'000;
    proxy::Loop loop;
    proxy::Mailbox mailbox(loop);
    std::array<std::size_t, threads> read{};
    std::size_t all = 0;
    bool in_order = true;
    std::vector<std::thread> writers;
    for (std::size_t writer = 0; writer < threads; ++writer) {
      writers.emplace_back([&, writer] {
        for (std::size_t i = 0; i < letters; ++i) {
          mailbox.post([&, writer, i] {
            in_order &= read[writer]++ == i;
            if (++all == threads * letters) loop.stop();
          });
        }
      });
    }
    loop.run();
    for (auto& writer : writers) writer.join();
    CHECK(in_order);
    for (auto count : read) CHECK(count == letters);
  }

  TEST_CASE("a letter may be posted to a loop that does not run yet, or any more") {
    proxy::Loop loop;
    auto mailbox = std::make_unique<proxy::Mailbox>(loop);
    int read = 0;
    mailbox->post([&] {
      ++read;
      loop.stop();
    });
    loop.run();
    mailbox->post([&] { ++read; });
    mailbox.reset();
    CHECK(read == 1);
  }
}

}  // namespace tests
