// Four workers and their Exchange against a model: random joins, leaves, publications and ends,
// with the letters between them read in random interleavings.
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/exchange.h"
#include "gateway/rooms.h"

using namespace gateway;

namespace {

constexpr unsigned worker_count = 4;
constexpr int room_count = 6;
constexpr int members_max = 24;

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t n) { return random() % n; }

// Letters that wait until the test lets them be read; one at a time, in order.
template <typename Letter>
class Queue final : public Port<Letter> {
 public:
  std::size_t publications_max = SIZE_MAX;

  bool post(Letter letter) override {
    const bool counts = waiting_octets(letter) > 0;
    if (counts && publications_ >= publications_max) return false;
    publications_ += counts;
    letters_.push_back(std::move(letter));
    return true;
  }

  bool empty() const { return letters_.empty(); }

  Letter next() {
    Letter letter = std::move(letters_.front());
    letters_.pop_front();
    publications_ -= waiting_octets(letter) > 0;
    return letter;
  }

 private:
  std::deque<Letter> letters_;
  std::size_t publications_ = 0;
};

// The one order of each room, as the publications come to the Exchange: it writes down what passes.
struct Sequence final : ExchangePort {
  Exchange& exchange;
  std::map<std::string, std::vector<std::string>> rooms;

  explicit Sequence(Exchange& exchange) : exchange(exchange) {}

  bool post(ToExchange letter) override {
    if (const auto* publish = std::get_if<Publish>(&letter)) {
      const std::string& octets = *publish->frame;
      rooms[octets.substr(0, octets.find('#'))].push_back(octets);
    }
    return exchange.post(std::move(letter));
  }
};

struct World;

// What the model knows of a member in a room: since when, and how much of the sequence it has had.
struct Stay {
  bool joined = false;
  std::size_t next = 0;  // in the room's sequence; known from the first publication heard
  bool heard_any = false;
  std::size_t promised = 0;  // it was in when this much had been published: it may not miss more
};

class Somebody final : public Rooms::Member {
 public:
  const unsigned worker;
  std::map<std::string, Stay> stays;

  Somebody(World& world, unsigned worker) : worker(worker), world_(world) {}

  void on_in(const std::string& key);
  void check_complete() const;

 private:
  void deliver(std::string_view, const proxy::SharedOctets& frame) override;
  void on_joined(std::string_view key, bool confirmed) override;
  void on_starved(std::string_view key) override;
  void on_unpublished(std::string_view, std::string_view) override { FAIL("there is no bus"); }

  World& world_;
};

struct World {
  Random random;
  Exchange exchange;
  Sequence sequence{exchange};
  Queue<ToExchange> to_exchange[worker_count];  // worker 0 needs none
  Queue<ToWorker> to_worker[worker_count];
  std::vector<std::unique_ptr<Rooms>> rooms;
  std::vector<std::unique_ptr<Somebody>> members;
  std::uint64_t published = 0, delivered = 0, starved = 0, said_when_told = 0;

  explicit World(unsigned seed) : random(seed) {
    for (unsigned i = 0; i < worker_count; ++i) {
      ExchangePort& exchange_port = i == 0 ? static_cast<ExchangePort&>(sequence) : to_exchange[i];
      rooms.push_back(std::make_unique<Rooms>(i, exchange_port));
      exchange.add_worker(i == 0 ? static_cast<WorkerPort&>(*rooms[0]) : to_worker[i]);
    }
  }

  static std::string key(std::size_t n) { return "room-" + std::to_string(n); }

  void join(Somebody& member, const std::string& key) {
    const auto answer = rooms[member.worker]->join(member, key);
    const bool was_in = member.stays[key].joined;
    if (was_in) CHECK(answer == Rooms::Join::Joined);
    if (answer == Rooms::Join::Joined && !was_in) member.on_in(key);
  }

  void leave(Somebody& member, const std::string& key) {
    member.stays.erase(key);
    rooms[member.worker]->leave(member, key);
  }

  void say(Somebody& member, const std::string& key) {
    const auto* membership = rooms[member.worker]->find(member, key);
    const auto stay = member.stays.find(key);
    REQUIRE((membership != nullptr) == (stay != member.stays.end()));
    if (!membership) return;
    REQUIRE(membership->joined() == stay->second.joined);
    if (!membership->joined()) return;
    auto frame = std::make_shared<const std::string>(key + '#' + std::to_string(published));
    if (rooms[member.worker]->publish(*membership, std::move(frame))) ++published;
  }

  void say_from_outside(unsigned worker, const std::string& key) {
    auto frame = std::make_shared<const std::string>(key + '#' + std::to_string(published));
    if (rooms[worker]->publish(key, std::move(frame))) ++published;
  }

  // One letter of one queue.
  bool read_one(std::size_t which) {
    if (which < worker_count) {
      if (to_exchange[which].empty()) return false;
      sequence.post(to_exchange[which].next());
      return true;
    }
    const std::size_t worker = which - worker_count;
    if (to_worker[worker].empty()) return false;
    rooms[worker]->post(to_worker[worker].next());
    return true;
  }

  void read_all() {
    bool more = true;
    while (more) {
      more = false;
      for (std::size_t i = 0; i < 2 * worker_count; ++i) more |= read_one(i);
    }
  }

  void step();
  void check_everything_read();
};

// From here on it gets everything. What had been published before may still be on its way to the
// worker: it may hear it, or not.
void Somebody::on_in(const std::string& key) {
  stays[key] = {
      .joined = true, .next = 0, .heard_any = false, .promised = world_.sequence.rooms[key].size()};
}

void Somebody::deliver(std::string_view, const proxy::SharedOctets& frame) {
  const std::string key = frame->substr(0, frame->find('#'));
  const auto found = stays.find(key);
  REQUIRE(found != stays.end());
  Stay& stay = found->second;
  REQUIRE(stay.joined);
  const auto& sequence = world_.sequence.rooms[key];
  if (!stay.heard_any) {
    // The first one heard is no later than the first that was promised.
    while (stay.next < sequence.size() && sequence[stay.next] != *frame) ++stay.next;
    REQUIRE(stay.next <= stay.promised);
    stay.heard_any = true;
  }
  REQUIRE(stay.next < sequence.size());
  REQUIRE(sequence[stay.next] == *frame);
  ++stay.next;
  ++world_.delivered;
}

void Somebody::on_joined(std::string_view key, bool confirmed) {
  const std::string room(key);
  REQUIRE(confirmed);
  REQUIRE(stays.contains(room));
  REQUIRE_FALSE(stays[room].joined);
  on_in(room);
  switch (below(world_.random, 4)) {  // whatever it does now is within the call
    case 0:
      world_.say(*this, room);
      ++world_.said_when_told;
      break;
    case 1:
      world_.leave(*this, room);
      break;
    case 2:
      world_.join(*this, World::key(below(world_.random, room_count)));
      break;
    default:
      break;
  }
}

void Somebody::on_starved(std::string_view key) {
  REQUIRE(stays.erase(std::string(key)) == 1);
  ++world_.starved;
  if (below(world_.random, 2) == 0) world_.join(*this, std::string(key));
}

// When nothing is on its way: what it was promised has come, to the last.
void Somebody::check_complete() const {
  for (const auto& [key, stay] : stays) {
    REQUIRE(stay.joined);
    const auto published = world_.sequence.rooms[key].size();
    if (stay.heard_any || published > stay.promised) REQUIRE(stay.next == published);
  }
}

void World::step() {
  const auto act = below(random, 100);
  if (act < 45) {
    read_one(below(random, 2 * worker_count));
    return;
  }
  if (members.empty() || (act < 50 && members.size() < members_max)) {
    const auto worker = static_cast<unsigned>(below(random, worker_count));
    members.push_back(std::make_unique<Somebody>(*this, worker));
    return;
  }
  const auto chosen = below(random, members.size());
  const std::string key = World::key(below(random, room_count));
  if (act < 65) {
    join(*members[chosen], key);
  } else if (act < 75) {
    leave(*members[chosen], key);
  } else if (act < 95) {
    say(*members[chosen], key);
  } else if (act < 97) {
    say_from_outside(members[chosen]->worker, key);
  } else if (act < 98) {
    std::swap(members[chosen], members.back());
    members.pop_back();
  }
}

void World::check_everything_read() {
  read_all();
  std::set<std::string> alive;
  for (const auto& member : members) {
    member->check_complete();
    REQUIRE(member->memberships().size() == member->stays.size());
    for (const auto& stay : member->stays) alive.insert(stay.first);
  }
  REQUIRE(exchange.rooms() == alive.size());
  std::uint64_t deliveries = 0;
  for (unsigned worker = 0; worker < worker_count; ++worker) {
    std::size_t memberships = 0;
    for (std::size_t n = 0; n < room_count; ++n) {
      std::size_t expected = 0;
      for (const auto& member : members) {
        expected += member->worker == worker && member->stays.contains(key(n));
      }
      REQUIRE(rooms[worker]->members(key(n)) == expected);
      memberships += expected;
    }
    REQUIRE(rooms[worker]->memberships() == memberships);
    deliveries += rooms[worker]->deliveries();
  }
  REQUIRE(deliveries == delivered);
}

void run(World& world, int steps) {
  for (int i = 0; i < steps; ++i) {
    world.step();
    if (i % 500 == 499) world.check_everything_read();
  }
  world.check_everything_read();
  world.members.clear();
  world.read_all();
  CHECK(world.exchange.rooms() == 0);
  for (const auto& rooms : world.rooms) CHECK(rooms->rooms() == 0);
}

}  // namespace

TEST_SUITE("four workers against a model") {
  TEST_CASE("members get exactly the publications of their rooms, in one order, none twice") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
      CAPTURE(seed);
      World world(seed);
      run(world, 5'000);
      CHECK(world.starved == 0);
      CHECK(world.delivered > world.published);
      CHECK(world.said_when_told > 0);
    }
  }

  TEST_CASE("where inboxes fill up, whoever misses one has lost the room and been told") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
      CAPTURE(seed);
      World world(seed);
      for (auto& queue : world.to_worker) queue.publications_max = 3;
      for (auto& queue : world.to_exchange) queue.publications_max = 6;
      run(world, 5'000);
      CHECK(world.starved > 0);
      CHECK(world.delivered > 0);
    }
  }
}
