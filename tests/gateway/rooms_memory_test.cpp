// What rooms and what waits for their members cost and give back, counted by the allocator: a
// program of its own, since it replaces operator new.
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <malloc.h>

#include "gateway/exchange.h"
#include "gateway/room_key.h"
#include "gateway/rooms.h"
#include "proxy/relay.h"
#include "tests/fakes/fake_transport.h"

namespace {

std::size_t octets_in_use = 0;  // what malloc has set aside for them, not what was asked for

// Of one allocation: what is usable, and the length that malloc keeps before it.
std::size_t cost(void* memory) { return malloc_usable_size(memory) + sizeof(std::size_t); }

}  // namespace

void* operator new(std::size_t octets) {
  void* memory = std::malloc(octets);
  if (!memory) throw std::bad_alloc();
  octets_in_use += cost(memory);
  return memory;
}

void operator delete(void* memory) noexcept {
  if (!memory) return;
  octets_in_use -= cost(memory);
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace {

using namespace gateway;

struct Silent final : Rooms::Member {
  void deliver(std::string_view, const proxy::SharedOctets&) override {}
  void on_joined(std::string_view, bool) override {}
  void on_starved(std::string_view) override {}
  void on_unpublished(std::string_view, std::string_view) override {}
};

struct OneWorker {
  Exchange exchange;
  Rooms rooms{0, exchange};
  OneWorker() { exchange.add_worker(rooms); }
};

std::string key(std::size_t n) { return room_key("", "room-" + std::to_string(n)); }

// `count` members that join `rooms_each` of `room_count` rooms and leave them: by one of the three
// ways to leave.
void come_and_go(Rooms& rooms, std::size_t count, std::size_t rooms_each, std::size_t room_count) {
  std::vector<std::unique_ptr<Silent>> members;
  std::size_t next = 0;
  for (std::size_t i = 0; i < count; ++i) {
    members.push_back(std::make_unique<Silent>());
    for (std::size_t n = 0; n < rooms_each; ++n) rooms.join(*members[i], key(next++ % room_count));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 3 == 0) {
      while (!members[i]->memberships().empty()) {
        rooms.leave(*members[i], std::string(members[i]->memberships().front().key()));
      }
    } else if (i % 3 == 1) {
      rooms.leave_all(*members[i]);
    }
  }
}

// A relay's, for which nothing is decided.
struct Idle final : proxy::Relay::Gate {
  proxy::Verdict admit(const proxy::FrameHeader&) override { return {}; }
  bool admit_all(const proxy::Tally&) override { return true; }
  bool hears_backend() override { return true; }
  proxy::Verdict judge(proxy::Relay::Side, const proxy::Message&) override { return {}; }
  void on_ending(proxy::Relay::Side, const proxy::Ending&, const proxy::Close&) override {}
  void on_client_gone() override {}
  void on_gone() override {}
};

}  // namespace

TEST_SUITE("memory of rooms") {
  TEST_CASE("a million joins and leaves leave nothing behind") {
    OneWorker worker;
    constexpr std::size_t members = 1'000, rooms_each = 10, room_count = 5'000;
    come_and_go(worker.rooms, members, rooms_each, room_count);
    const std::size_t after_first = octets_in_use;
    for (std::size_t joins = 0; joins < 1'000'000; joins += members * rooms_each) {
      come_and_go(worker.rooms, members, rooms_each, room_count);
    }
    const std::size_t after_last = octets_in_use;
    CHECK(after_last == after_first);
    CHECK(worker.rooms.rooms() == 0);
    CHECK(worker.exchange.rooms() == 0);
  }

  TEST_CASE("an idle membership costs at most 80 octets, and 64 in many rooms") {
    OneWorker worker;
    for (const auto& [rooms_each, octets_max] :
         {std::pair<std::size_t, std::size_t>{1, 80}, {64, 64}}) {
      CAPTURE(rooms_each);
      constexpr std::size_t count = 1'024;
      std::vector<std::unique_ptr<Silent>> members;
      for (std::size_t i = 0; i < count; ++i) members.push_back(std::make_unique<Silent>());
      Silent first;  // what the rooms themselves cost is not a membership's
      for (std::size_t n = 0; n < rooms_each; ++n) worker.rooms.join(first, key(n));
      const std::size_t before = octets_in_use;
      for (auto& member : members) {
        for (std::size_t n = 0; n < rooms_each; ++n) worker.rooms.join(*member, key(n));
      }
      const std::size_t membership_octets = (octets_in_use - before) / (count * rooms_each);
      CHECK(membership_octets <= octets_max);
    }
    CHECK(sizeof(Silent) <=
          40);  // its vtable, its list, and a pointer for those who publish over a bus
  }

  TEST_CASE("a room that was crowded once keeps no place for those who have left") {
    OneWorker worker;
    Silent last;
    worker.rooms.join(last, "r");
    const std::size_t before = octets_in_use;
    std::vector<std::unique_ptr<Silent>> members;
    for (std::size_t i = 0; i < 100'000; ++i) {
      members.push_back(std::make_unique<Silent>());
      worker.rooms.join(*members.back(), "r");
    }
    CHECK(octets_in_use - before > 100'000 * sizeof(Rooms::Membership));
    std::vector<std::unique_ptr<Silent>>().swap(members);
    CHECK(octets_in_use - before < 1'024);
  }

  TEST_CASE("a room with one member costs less than 600 octets, here and in the Exchange") {
    OneWorker worker;
    constexpr std::size_t rooms = 10'000;
    Silent member;
    const std::size_t before = octets_in_use;
    for (std::size_t n = 0; n < rooms; ++n) worker.rooms.join(member, key(n));
    const std::size_t room_octets = (octets_in_use - before) / rooms;
    CHECK(room_octets < 600);
  }

  TEST_CASE("a reader that was slow once and is no more costs what it did before") {
    proxy::Timers timers{proxy::Instant{}};
    proxy::FlushList flushes;
    const proxy::RelaySettings settings;
    Idle gate;
    auto client = std::make_shared<tests::Peer>();
    proxy::Relay relay(std::make_unique<tests::FakeTransport>(client), nullptr, settings, timers,
                       flushes, gate);
    relay.start({}, {});
    const auto frame = proxy::share("a frame");
    auto tell = [&](std::size_t frames) {
      for (std::size_t i = 0; i < frames; ++i) relay.tell(frame);
      flushes.flush();
    };
    tell(1);
    (void)client->read();
    const std::size_t before = octets_in_use;
    client->takes_octets = false;
    tell(1);
    tell(10'000);
    CHECK(octets_in_use - before > 10'000 * sizeof frame);
    client->takes_octets = true;
    client->take(client->unsent);
    (void)client->read();
    CHECK(relay.open());
    CHECK(octets_in_use < before + 512);
  }
}
