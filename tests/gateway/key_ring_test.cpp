// Clients of a worker that wait for a key; the thread that fetches is the test.
#include "gateway/key_ring.h"

#include <deque>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace gateway;
using namespace std::chrono_literals;

namespace {

constexpr proxy::Instant start{proxy::MonotonicTime(1'000h), {}};

std::shared_ptr<const Authenticator> authenticator(std::string name) {
  auto made = std::make_shared<Authenticator>();
  made->name = std::move(name);
  made->key_locations.emplace_back();
  made->verifier = std::make_shared<const auth::TokenVerifier>(
      auth::TokenRules(), std::make_shared<const auth::KeySet>());
  return made;
}

struct Client final : KeyRing::Waiter {
  explicit Client(KeyRing& its_ring) : ring(its_ring) {}
  bool wait_for(const std::shared_ptr<const Authenticator>& whose) {
    authenticator = whose;
    return ring.wait_for(*whose, *this);
  }
  void on_keys() override {
    ++woken;
    if (persistent) persistent = ring.wait_for(*authenticator, *this);
  }
  void leave() { stop_waiting(); }

  KeyRing& ring;
  std::shared_ptr<const Authenticator> authenticator;
  int woken = 0;
  bool persistent = false;  // waits again, as who does not find its key
};

struct Fixture {
  proxy::Timers timers{start};
  std::vector<std::string> asked;
  KeyRing ring{timers, [this](const auto& whose) { asked.push_back(whose->name); }};
  std::shared_ptr<const Authenticator> users = authenticator("users");

  KeyNews news(const std::shared_ptr<const Authenticator>& whose, bool fetching = false,
               KeySchedule::Time unknown_key_from = KeySchedule::Time::min()) {
    KeyNews news;
    news.authenticator = whose;
    news.keys = std::make_shared<const auth::KeySet>();
    news.complete = true;
    news.fetching = fetching;
    news.unknown_key_from = unknown_key_from;
    return news;
  }
};

}  // namespace

TEST_SUITE("Waiting for a key") {
  TEST_CASE("before anything is known of the keys there is nothing to wait for") {
    Fixture test;
    Client client(test.ring);
    CHECK_FALSE(client.wait_for(test.users));
    CHECK(test.asked.empty());
  }

  TEST_CASE("the first who waits asks, and all are told at once") {
    Fixture test;
    test.ring.learn(test.news(test.users));
    Client first(test.ring), second(test.ring);
    CHECK(first.wait_for(test.users));
    CHECK(second.wait_for(test.users));
    CHECK(test.asked == std::vector<std::string>{"users"});
    CHECK(first.woken == 0);
    test.ring.learn(test.news(test.users));
    CHECK(first.woken == 1);
    CHECK(second.woken == 1);
    test.ring.learn(test.news(test.users));
    CHECK(first.woken == 1);
  }

  TEST_CASE("who would ask too soon after the last time does not wait") {
    Fixture test;
    test.ring.learn(test.news(test.users, false, start.monotonic + 10s));
    Client client(test.ring);
    CHECK_FALSE(client.wait_for(test.users));
    test.timers.set_now({start.monotonic + 10s - 1ms, {}});
    CHECK_FALSE(client.wait_for(test.users));
    test.timers.set_now({start.monotonic + 10s, {}});
    CHECK(client.wait_for(test.users));
    CHECK(test.asked.size() == 1);
  }

  TEST_CASE("nobody asks for what is being fetched anyway") {
    Fixture test;
    test.ring.learn(test.news(test.users, true, start.monotonic + 10s));
    Client client(test.ring);
    CHECK(client.wait_for(test.users));
    CHECK(test.asked.empty());
  }

  TEST_CASE("who does not find the key asks again, until that is too soon") {
    Fixture test;
    test.ring.learn(test.news(test.users));
    Client client(test.ring);
    client.persistent = true;
    CHECK(client.wait_for(test.users));
    test.ring.learn(test.news(test.users));  // of a fetch that had begun before
    CHECK(test.asked.size() == 2);
    test.ring.learn(test.news(test.users, false, start.monotonic + 10s));
    CHECK(client.woken == 2);
    CHECK_FALSE(client.persistent);
    CHECK(test.asked.size() == 2);
  }

  TEST_CASE("keys of one authenticator are waited for apart from another's") {
    Fixture test;
    const auto staff = authenticator("staff");
    test.ring.learn(test.news(test.users));
    test.ring.learn(test.news(staff));
    Client user(test.ring), member(test.ring);
    CHECK(user.wait_for(test.users));
    CHECK(member.wait_for(staff));
    CHECK(test.asked == std::vector<std::string>{"users", "staff"});
    test.ring.learn(test.news(staff));
    CHECK(user.woken == 0);
    CHECK(member.woken == 1);
  }

  TEST_CASE("who is gone is not told") {
    Fixture test;
    test.ring.learn(test.news(test.users));
    Client stays(test.ring), leaves(test.ring);
    {
      Client dies(test.ring);
      CHECK(dies.wait_for(test.users));
      CHECK(leaves.wait_for(test.users));
      CHECK(stays.wait_for(test.users));
      leaves.leave();
    }
    test.ring.learn(test.news(test.users));
    CHECK(leaves.woken == 0);
    CHECK(stays.woken == 1);
  }

  TEST_CASE("a crowd is told by the slice, each once") {
    Fixture test;
    test.ring.learn(test.news(test.users));
    std::deque<Client> crowd;
    for (int i = 0; i < 1'000; ++i) {
      crowd.emplace_back(test.ring);
      CHECK(crowd.back().wait_for(test.users));
    }
    const auto woken = [&] {
      int count = 0;
      for (const Client& client : crowd) count += client.woken;
      return count;
    };
    test.ring.learn(test.news(test.users));
    CHECK(woken() > 0);
    CHECK(woken() <= 100);
    crowd[0].leave();  // and whoever else leaves meanwhile
    crowd.pop_back();
    int turns = 0;
    for (int before = 0; before != woken(); ++turns) {
      before = woken();
      test.timers.advance_to(test.timers.now());
      CHECK(woken() - before <= 100);
    }
    CHECK(turns >= 10);
    for (const Client& client : crowd) CHECK(client.woken == 1);
  }

  TEST_CASE("under another policy all who wait are woken, to ask by its authenticators") {
    Fixture test;
    test.ring.learn(test.news(test.users));
    Client client(test.ring);
    CHECK(client.wait_for(test.users));
    const auto again = authenticator("users");
    test.ring.adopt({test.news(again)});
    CHECK(client.woken == 1);
    CHECK_FALSE(client.wait_for(test.users));
    CHECK(client.wait_for(again));
    test.ring.learn(test.news(again));
    CHECK(client.woken == 2);
  }
}
