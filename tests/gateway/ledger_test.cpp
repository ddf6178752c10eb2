#include "gateway/ledger.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace gateway;
using namespace std::chrono_literals;

namespace {

const Ledger::Time start{100h};

proxy::IpAddress ip(std::string_view text) { return proxy::IpAddress::parse(text).value(); }

// The nth of many IPv4 addresses.
proxy::IpAddress nth_ip(std::size_t n) {
  return ip(std::to_string(10 + n / 65'536) + '.' + std::to_string(n / 256 % 256) + '.' +
            std::to_string(n % 256) + ".1");
}

// How many of the addresses from `first` on get a permit right now.
int admitted(Ledger& ledger, const auth::RateLimit& limit, std::size_t first, int count,
             Ledger::Time now, std::size_t route = 0) {
  int taken = 0;
  for (int i = 0; i < count; ++i) {
    if (ledger.take_handshake(route, nth_ip(first + i), limit, now) == 0ms) ++taken;
  }
  return taken;
}

int counted(Ledger& ledger, std::string_view address, std::vector<Ledger::Count>& held, int tries,
            std::uint32_t connections_max) {
  int taken = 0;
  for (int i = 0; i < tries; ++i) {
    auto count = ledger.count_address(0, ip(address), connections_max);
    if (!count) continue;
    held.push_back(std::move(*count));
    ++taken;
  }
  return taken;
}

}  // namespace

TEST_SUITE("open connections") {
  TEST_CASE("the last one under the limit is accepted, the next is not") {
    Ledger ledger(2);
    const auto first = ledger.accept();
    auto second = ledger.accept();
    CHECK(first);
    CHECK(second);
    CHECK_FALSE(ledger.accept());
    CHECK(ledger.open() == 2);

    second = {};
    CHECK(ledger.open() == 1);
    CHECK(ledger.accept());
  }

  TEST_CASE("another maximum holds for who comes next, and who is there stays") {
    Ledger ledger(2);
    const auto first = ledger.accept();
    const auto second = ledger.accept();
    ledger.set_connections_max(1);
    CHECK_FALSE(ledger.accept());
    CHECK(ledger.open() == 2);
    ledger.set_connections_max(3);
    CHECK(ledger.accept());
  }

  TEST_CASE("one is admitting until it is established, once") {
    Ledger ledger(10);
    auto first = ledger.accept();
    auto second = ledger.accept();
    CHECK(ledger.admitting() == 2);
    first.established();
    first.established();
    CHECK(ledger.admitting() == 1);
    CHECK(ledger.open() == 2);
    first = {};
    CHECK(ledger.admitting() == 1);
    second = {};
    CHECK(ledger.admitting() == 0);
    CHECK(ledger.open() == 0);
  }

  TEST_CASE("half of the connections may be without a 101, one more is a crowd") {
    Ledger ledger(4);
    std::vector<Ledger::Connection> held;
    for (int i = 0; i < 2; ++i) held.push_back(ledger.accept());
    CHECK_FALSE(ledger.admitting_crowded());
    held.push_back(ledger.accept());
    CHECK(ledger.admitting_crowded());
    held[0].established();
    CHECK_FALSE(ledger.admitting_crowded());
  }

  TEST_CASE("one that moved is released once") {
    Ledger ledger(3);
    auto first = ledger.accept();
    auto moved = std::move(first);
    CHECK(moved);
    CHECK_FALSE(first);
    CHECK(ledger.open() == 1);

    auto over = ledger.accept();
    CHECK(ledger.open() == 2);
    over = std::move(moved);  // what was there before is released now
    CHECK(ledger.open() == 1);
    CHECK(ledger.admitting() == 1);
    first.established();  // empty: says nothing
    CHECK(ledger.admitting() == 1);
    over = {};
    CHECK(ledger.open() == 0);
    CHECK(ledger.admitting() == 0);
  }

  TEST_CASE("a handle is small") {
    CHECK(sizeof(Ledger::Connection) <= 16);
    CHECK(sizeof(Ledger::Count) <= 8);
  }
}

TEST_SUITE("connections of an address and of a subject") {
  TEST_CASE("the last one under the limit counts, the next does not") {
    Ledger ledger(100);
    std::vector<Ledger::Count> held;
    CHECK(counted(ledger, "192.0.2.1", held, 5, 3) == 3);
    CHECK(counted(ledger, "192.0.2.2", held, 5, 3) == 3);
    held.erase(held.begin());
    CHECK(counted(ledger, "192.0.2.1", held, 5, 3) == 1);
  }

  TEST_CASE("a subject's limit is its own") {
    Ledger ledger(100);
    const auto alice = ledger.count_subject(0, "alice", 1);
    CHECK(alice);
    CHECK_FALSE(ledger.count_subject(0, "alice", 1));
    CHECK(ledger.count_subject(0, "Alice", 1));
    CHECK(ledger.count_subject(0, "", 1));
    CHECK(ledger.count_subject(1, "alice", 1));  // another route
  }

  TEST_CASE("the same octets as an address and as a subject are two") {
    Ledger ledger(100);
    const auto address = ledger.count_address(0, ip("97.98.99.100"), 1);
    CHECK(address);
    CHECK(ledger.count_subject(0, "abcd", 1));
  }

  TEST_CASE("0 is no limit, and differs from a no") {
    Ledger ledger(100);
    const auto first = ledger.count_subject(0, "alice", 0);
    const auto second = ledger.count_subject(0, "alice", 0);
    CHECK(first.has_value());
    CHECK(second.has_value());
    CHECK(ledger.count_address(0, ip("192.0.2.1"), 0).has_value());
    CHECK(ledger.count_subject(0, "alice", 1).has_value());  // they were not counted
  }

  TEST_CASE("an IPv6 /64 counts as one address, the next /64 does not") {
    Ledger ledger(100);
    std::vector<Ledger::Count> held;
    CHECK(counted(ledger, "2001:db8:0:1::1", held, 1, 2) == 1);
    CHECK(counted(ledger, "2001:db8:0:1:ffff::2", held, 1, 2) == 1);
    CHECK(counted(ledger, "2001:db8:0:1::3", held, 1, 2) == 0);
    CHECK(counted(ledger, "2001:db8:0:2::1", held, 1, 2) == 1);
  }

  TEST_CASE("an IPv4-mapped address is the IPv4 address") {
    Ledger ledger(100);
    std::vector<Ledger::Count> held;
    CHECK(counted(ledger, "192.0.2.1", held, 1, 1) == 1);
    CHECK(counted(ledger, "::ffff:192.0.2.1", held, 1, 1) == 0);
    CHECK(counted(ledger, "::ffff:192.0.2.2", held, 1, 1) == 1);  // nor are all of them one /64
  }

  TEST_CASE("a count that moved is released once") {
    Ledger ledger(100);
    auto first = ledger.count_subject(0, "alice", 2);
    auto second = ledger.count_subject(0, "alice", 2);
    Ledger::Count held = std::move(*first);
    first.reset();  // moved from: releases nothing
    CHECK_FALSE(ledger.count_subject(0, "alice", 2));
    held = std::move(*second);
    second.reset();
    const auto third = ledger.count_subject(0, "alice", 2);
    CHECK(third);
    CHECK_FALSE(ledger.count_subject(0, "alice", 2));
    held = {};
    CHECK(ledger.count_subject(0, "alice", 2));
  }

  TEST_CASE("many names come and go and none is left over") {
    Ledger ledger(100);
    for (int round = 0; round < 2; ++round) {
      std::vector<Ledger::Count> held;
      for (int i = 0; i < 5'000; ++i) {
        auto count = ledger.count_subject(0, "subject-" + std::to_string(i), 1);
        REQUIRE(count);
        held.push_back(std::move(*count));
      }
      CHECK(ledger.sizes().names == 5'000);
      held.clear();
      CHECK(ledger.sizes().names == 0);
    }
  }
}

TEST_SUITE("handshakes of an address") {
  const auth::RateLimit limit{.permits_per_second = 2, .permits_max = 3};

  TEST_CASE("a burst passes, the next is told how long to wait") {
    Ledger ledger(100);
    for (int i = 0; i < 3; ++i) {
      CHECK(ledger.take_handshake(0, ip("192.0.2.1"), limit, start) == 0ms);
    }
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), limit, start) == 500ms);
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), limit, start + 499ms) > 0ms);
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), limit, start + 500ms) == 0ms);
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), limit, start + 500ms) > 0ms);
  }

  TEST_CASE("requests for tickets have buckets of their own, by subject and route") {
    Ledger ledger(100);
    const auto ask = [&](std::uint64_t route, const char* subject) {
      return ledger.take_ticket_request(route, subject, limit, start) == 0ms;
    };
    for (int i = 0; i < 3; ++i) CHECK(ask(1, "alice"));
    CHECK_FALSE(ask(1, "alice"));
    CHECK(ask(1, "bob"));
    CHECK(ask(2, "alice"));
    CHECK(ledger.take_message(ledger.subject_name(1, "alice"), limit, start) == 0ms);
  }

  TEST_CASE("no wait is shorter than a millisecond") {
    Ledger ledger(100);
    const auth::RateLimit fast{.permits_per_second = 100'000, .permits_max = 1};
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), fast, start) == 0ms);
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), fast, start) == 1ms);
  }

  TEST_CASE("addresses and routes have buckets of their own") {
    Ledger ledger(100);
    const auth::RateLimit one{.permits_per_second = 1, .permits_max = 1};
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), one, start) == 0ms);
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), one, start) > 0ms);
    CHECK(ledger.take_handshake(1, ip("192.0.2.1"), one, start) == 0ms);
    CHECK(ledger.take_handshake(0, ip("192.0.2.2"), one, start) == 0ms);
  }

  TEST_CASE("an IPv6 /64 has one bucket, an IPv4-mapped address that of IPv4") {
    Ledger ledger(100);
    const auth::RateLimit one{.permits_per_second = 1, .permits_max = 1};
    CHECK(ledger.take_handshake(0, ip("2001:db8::1"), one, start) == 0ms);
    CHECK(ledger.take_handshake(0, ip("2001:db8::ffff:0:0:2"), one, start) > 0ms);
    CHECK(ledger.take_handshake(0, ip("2001:db8:0:1::1"), one, start) == 0ms);
    CHECK(ledger.take_handshake(0, ip("::ffff:192.0.2.1"), one, start) == 0ms);
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), one, start) > 0ms);
  }

  TEST_CASE("no limit is no bucket") {
    Ledger ledger(100);
    for (int i = 0; i < 1'000; ++i) {
      CHECK(ledger.take_handshake(0, ip("192.0.2.1"), {}, start) == 0ms);
    }
    CHECK(ledger.sizes().buckets == 0);
  }

  TEST_CASE("a new connection does not refill the bucket") {
    Ledger ledger(100);
    int taken = 0;
    for (int i = 0; i < 10; ++i) {
      const auto connection = ledger.accept();  // and gone at the end of the turn
      const auto count = ledger.count_address(0, ip("192.0.2.1"), 1);
      CHECK(count);
      if (ledger.take_handshake(0, ip("192.0.2.1"), limit, start) == 0ms) ++taken;
    }
    CHECK(taken == 3);
  }

  TEST_CASE("a worker whose clock is behind mints no permits") {
    Ledger ledger(100);
    const auth::RateLimit one{.permits_per_second = 1, .permits_max = 1};
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), one, start) == 0ms);
    int taken = 0;
    for (int i = 0; i < 10; ++i) {
      const auto now = start + (i % 2 == 0 ? 90ms : 0ms);
      if (ledger.take_handshake(0, ip("192.0.2.1"), one, now) == 0ms) ++taken;
    }
    CHECK(taken == 0);
    CHECK(ledger.take_handshake(0, ip("192.0.2.1"), one, start + 1s) == 0ms);
  }
}

// Which addresses meet in a shard is random, hence the margins: 64 shards of 2 048 hold 131 072
// buckets, and of 200 000 addresses each shard gets some 3 125.
constexpr int many = 200'000;

TEST_SUITE("the table of buckets is bounded") {
  const auth::RateLimit slow{.permits_per_second = 1, .permits_max = 1};

  TEST_CASE("what does not fit shares one bucket a shard, and another route's is another") {
    Ledger ledger(100);
    const int first = admitted(ledger, slow, 0, many, start);
    CHECK(first == Ledger::buckets_max + Ledger::shards);
    CHECK(admitted(ledger, slow, many, 1'000, start) == 0);
    CHECK(admitted(ledger, slow, many, 10'000, start, 1) == Ledger::shards);
    CHECK(ledger.sizes().buckets == Ledger::buckets_max + 2 * Ledger::shards);
    // One that is remembered keeps its own bucket.
    CHECK(admitted(ledger, slow, 0, 1'000, start + 1s) == 1'000);
  }

  TEST_CASE("full buckets are forgotten and make room") {
    Ledger ledger(100);
    admitted(ledger, slow, 0, many, start);
    CHECK(admitted(ledger, slow, many, 1'000, start + 999ms) == 0);
    // A search for full ones is not repeated at once, so that no newcomer costs a table's length.
    CHECK(admitted(ledger, slow, many, 1'000, start + 1s) <= static_cast<int>(Ledger::shards));
    CHECK(admitted(ledger, slow, many, 1'000, start + 2s) == 1'000);
  }

  TEST_CASE("what an instance sees over time does not stay") {
    Ledger ledger(100);
    for (int second = 0; second < 20; ++second) {
      admitted(ledger, slow, 5'000 * second, 5'000, start + second * 1s);
    }
    CHECK(ledger.sizes().buckets <= 4 * 5'000);  // of 100 000
  }

  TEST_CASE("a bucket that is not full is never forgotten") {
    Ledger ledger(100);
    const auth::RateLimit hourly{.permits_per_second = 1.0 / 3600, .permits_max = 1};
    CHECK(admitted(ledger, hourly, 0, 100, start) == 100);
    for (int minute = 1; minute < 10; ++minute) {
      admitted(ledger, slow, 1'000 * minute, 100'000, start + minute * 1min);
      CHECK(admitted(ledger, hourly, 0, 100, start + minute * 1min) == 0);
    }
    CHECK(admitted(ledger, hourly, 0, 100, start + 1h) == 100);
  }
}

TEST_SUITE("messages of a subject and of a room") {
  const auth::RateLimit limit{.permits_per_second = 2, .permits_max = 3};
  const auth::RateLimit one{.permits_per_second = 1, .permits_max = 1};

  TEST_CASE("a burst passes, the next is told how long to wait") {
    Ledger ledger(100);
    for (int i = 0; i < 3; ++i) {
      CHECK(ledger.take_message(ledger.subject_name(0, "alice"), limit, start) == 0ms);
      CHECK(ledger.take_message(ledger.room_name("room:r"), limit, start) == 0ms);
    }
    CHECK(ledger.take_message(ledger.subject_name(0, "alice"), limit, start) == 500ms);
    CHECK(ledger.take_message(ledger.room_name("room:r"), limit, start) == 500ms);
    CHECK(ledger.take_message(ledger.subject_name(0, "alice"), limit, start + 500ms) == 0ms);
    CHECK(ledger.take_message(ledger.room_name("room:r"), limit, start + 500ms) == 0ms);
    CHECK(ledger.take_message(ledger.room_name("room:r"), limit, start + 500ms) > 0ms);
  }

  TEST_CASE("a name that was hashed once is the same bucket") {
    Ledger ledger(100);
    const std::string subject(256, 'a');
    const auto name = ledger.subject_name(1, subject);
    CHECK(ledger.take_message(name, one, start) == 0ms);
    CHECK(ledger.take_message(ledger.subject_name(1, subject), one, start) > 0ms);
    CHECK(ledger.take_message(name, one, start) > 0ms);
    CHECK(ledger.take_message(ledger.subject_name(0, subject), one, start) ==
          0ms);  // another route
    CHECK(ledger.sizes().buckets == 2);
  }

  TEST_CASE("subjects, rooms and addresses of the same octets have buckets of their own") {
    Ledger ledger(100);
    CHECK(ledger.take_handshake(0, ip("97.98.99.100"), one, start) == 0ms);
    CHECK(ledger.take_message(ledger.subject_name(0, "abcd"), one, start) == 0ms);
    CHECK(ledger.take_message(ledger.room_name("abcd"), one, start) == 0ms);
    CHECK(ledger.take_message(ledger.subject_name(0, "abce"), one, start) == 0ms);
    CHECK(ledger.take_message(ledger.room_name("abce"), one, start) == 0ms);
    CHECK(ledger.take_message(ledger.subject_name(0, "abcd"), one, start) > 0ms);
    CHECK(ledger.take_message(ledger.room_name("abcd"), one, start) > 0ms);
  }

  TEST_CASE("a subject that comes back has what it left") {
    Ledger ledger(100);
    int taken = 0;
    for (int i = 0; i < 10; ++i) {
      const auto connection = ledger.accept();  // and gone at the end of the turn
      const auto count = ledger.count_subject(0, "alice", 1);
      CHECK(count);
      if (ledger.take_message(ledger.subject_name(0, "alice"), limit, start) == 0ms) ++taken;
    }
    CHECK(taken == 3);
  }

  TEST_CASE("no limit is no bucket") {
    Ledger ledger(100);
    const auto name = ledger.subject_name(0, "alice");
    for (int i = 0; i < 1'000; ++i) {
      CHECK(ledger.take_message(ledger.subject_name(0, "alice"), {}, start) == 0ms);
      CHECK(ledger.take_message(name, {}, start) == 0ms);
      CHECK(ledger.take_message(ledger.room_name("room:r"), {}, start) == 0ms);
    }
    CHECK(ledger.sizes().buckets == 0);
  }

  TEST_CASE("whoever invents rooms tightens the limit of new rooms, and nobody else's") {
    Ledger ledger(100);
    CHECK(ledger.take_message(ledger.room_name("room:old"), limit, start) == 0ms);
    std::size_t taken = 0;
    for (int i = 0; i < many; ++i) {
      if (ledger.take_message(ledger.room_name("room:" + std::to_string(i)), one, start) == 0ms)
        ++taken;
    }
    CHECK(taken == Ledger::buckets_max - 1 + Ledger::shards);
    CHECK(ledger.sizes().buckets == Ledger::buckets_max + Ledger::shards);
    CHECK(ledger.take_message(ledger.room_name("room:old"), limit, start) == 0ms);
    for (int i = 0; i < 1'000; ++i) {
      CHECK(ledger.take_message(ledger.subject_name(0, std::to_string(i)), one, start) == 0ms);
      CHECK(ledger.take_handshake(0, nth_ip(i), one, start) == 0ms);
    }
  }

  TEST_CASE("buckets that are full again are forgotten") {
    Ledger ledger(100);
    for (int second = 0; second < 20; ++second) {
      for (int i = 0; i < 5'000; ++i) {
        const std::string name = std::to_string(5'000 * second + i);
        ledger.take_message(ledger.room_name(name), one, start + second * 1s);
        ledger.take_message(ledger.subject_name(0, name), one, start + second * 1s);
      }
    }
    CHECK(ledger.sizes().buckets <= 2 * 4 * 5'000);  // of 200 000
  }
}

TEST_SUITE("octets queued in the process") {
  TEST_CASE("up to the cap they are reserved, beyond it they are not") {
    Ledger ledger(100, 1'000);
    CHECK(ledger.reserve_queued(600));
    CHECK(ledger.reserve_queued(400));
    CHECK_FALSE(ledger.reserve_queued(1));
    CHECK(ledger.reserve_queued(0));
    CHECK(ledger.queued() == 1'000);
    ledger.release_queued(600);
    CHECK_FALSE(ledger.reserve_queued(601));
    CHECK(ledger.queued() == 400);  // what was refused is not reserved
    CHECK(ledger.reserve_queued(600));
    ledger.release_queued(1'000);
    CHECK(ledger.queued() == 0);
  }

  TEST_CASE("no length is too long to be compared") {
    Ledger ledger(100, 1'000);
    CHECK(ledger.reserve_queued(1));
    CHECK_FALSE(ledger.reserve_queued(SIZE_MAX));
    CHECK_FALSE(ledger.reserve_queued(1'000));
    CHECK(ledger.reserve_queued(999));
  }

  TEST_CASE("the cap is the named one where none is given") {
    Ledger ledger(100);
    CHECK(ledger.reserve_queued(Ledger::queued_octets_max));
    CHECK_FALSE(ledger.reserve_queued(1));
  }
}

TEST_SUITE("messages of a subject that several instances count together") {
  using Kind = Lease::Verdict::Kind;
  const auth::RateLimit limit{.permits_per_second = 10, .permits_max = 3};
  const auth::RateLimit one{.permits_per_second = 1, .permits_max = 1};

  TEST_CASE("without answers its own bucket decides alone, and nothing is asked") {
    Ledger ledger(100);
    const auto name = ledger.shared_subject_name(0, "alice");
    for (int i = 0; i < 3; ++i) {
      const auto verdict = ledger.take_shared_message(name, limit, start);
      CHECK(verdict.kind == Kind::Pass);
      CHECK_FALSE(verdict.question);
    }
    const auto refused = ledger.take_shared_message(name, limit, start);
    CHECK(refused.kind == Kind::Refuse);
    CHECK(refused.wait == 100ms);
  }

  TEST_CASE("what is granted passes, as much as one instance may") {
    Ledger ledger(100);
    ledger.set_sharing(true);
    const auto name = ledger.shared_subject_name(0, "alice");
    const auto first = ledger.take_shared_message(name, limit, start);
    CHECK(first.kind == Kind::Ask);
    REQUIRE(first.question);
    CHECK(first.question->wanted == 1);
    CHECK_FALSE(ledger.settle(name, limit, Lease::Answer{100, 0ms}, start));
    for (int i = 0; i < 3; ++i) {
      CHECK(ledger.take_shared_message(name, limit, start).kind == Kind::Pass);
    }
    const auto over = ledger.take_shared_message(name, limit, start);
    CHECK(over.kind == Kind::Refuse);
    CHECK(over.wait == 100ms);
    CHECK(ledger.take_shared_message(name, limit, start + 100ms).kind == Kind::Pass);
  }

  TEST_CASE("what is refused elsewhere, or not known yet, costs nothing here") {
    Ledger ledger(100);
    ledger.set_sharing(true);
    const auto name = ledger.shared_subject_name(0, "alice");
    for (int i = 0; i < 50; ++i) ledger.take_shared_message(name, limit, start);
    ledger.settle(name, limit, Lease::Answer{0, 40ms}, start);
    for (int i = 0; i < 50; ++i) {
      const auto refused = ledger.take_shared_message(name, limit, start);
      CHECK(refused.kind == Kind::Refuse);
      CHECK(refused.wait == 100ms);
    }
    ledger.set_sharing(false);
    for (int i = 0; i < 3; ++i) {
      CHECK(ledger.take_shared_message(name, limit, start).kind == Kind::Pass);
    }
  }

  TEST_CASE("routes, subjects and limits of one instance are others") {
    Ledger ledger(100);
    CHECK(ledger.take_shared_message(ledger.shared_subject_name(0, "a"), one, start).kind ==
          Kind::Pass);
    CHECK(ledger.take_shared_message(ledger.shared_subject_name(0, "a"), one, start).kind ==
          Kind::Refuse);
    CHECK(ledger.take_shared_message(ledger.shared_subject_name(1, "a"), one, start).kind ==
          Kind::Pass);
    CHECK(ledger.take_shared_message(ledger.shared_subject_name(0, "b"), one, start).kind ==
          Kind::Pass);
    CHECK(ledger.take_message(ledger.subject_name(0, "a"), one, start) == 0ms);
  }

  TEST_CASE("what does not fit shares one bucket a shard, which asks nobody") {
    Ledger ledger(100);
    int passed = 0;
    for (int i = 0; i < many; ++i) {
      const auto subject = std::to_string(i);
      const auto name = ledger.shared_subject_name(0, subject);
      passed += ledger.take_shared_message(name, one, start).kind == Kind::Pass;
    }
    CHECK(passed == Ledger::buckets_max + Ledger::shards);
    ledger.set_sharing(true);
    for (int i = many; i < many + 1'000; ++i) {
      const auto subject = std::to_string(i);
      const auto name = ledger.shared_subject_name(0, subject);
      const auto verdict = ledger.take_shared_message(name, one, start);
      CHECK(verdict.kind == Kind::Refuse);
      CHECK_FALSE(verdict.question);
    }
  }

  TEST_CASE("one that waits for an answer is not forgotten, however many come") {
    Ledger ledger(100);
    ledger.set_sharing(true);
    const auto alice = ledger.shared_subject_name(0, "alice");
    CHECK(ledger.take_shared_message(alice, one, start).question);
    for (int i = 0; i < many; ++i) {
      const auto subject = std::to_string(i);
      const auto now = start + i * 100us;
      ledger.take_shared_message(ledger.shared_subject_name(0, subject), one, now);
      ledger.settle(ledger.shared_subject_name(0, subject), one, Lease::Answer{1, 0ms}, now);
    }
    CHECK(ledger.sizes().buckets < many);
    CHECK_FALSE(ledger.take_shared_message(alice, one, start + 50ms).question);
  }

  TEST_CASE("an answer to nothing changes nothing") {
    Ledger ledger(100);
    const auto name = ledger.shared_subject_name(0, "alice");
    CHECK_FALSE(ledger.settle(name, one, Lease::Answer{1, 0ms}, start));
    CHECK_FALSE(ledger.settle(name, one, std::nullopt, start));
    CHECK(ledger.sizes().buckets == 0);
  }
}
