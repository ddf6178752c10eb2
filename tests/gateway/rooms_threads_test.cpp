// Rooms of four workers, each with a thread, a loop and a mailbox of its own, joined by their
// Exchange: a program of its own, so that it can be run by itself under ThreadSanitizer.
#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/exchange.h"
#include "gateway/inbox.h"
#include "gateway/rooms.h"
#include "proxy/loop.h"
#include "proxy/mailbox.h"

using namespace gateway;

namespace {

constexpr unsigned worker_count = 4;
constexpr std::size_t room_count = 3;
constexpr std::size_t members_each = 8;
constexpr int turns = 2'000;
constexpr int acts_each_turn = 5;
constexpr std::string_view end_key = "end";

std::string key(std::size_t room) { return "room-" + std::to_string(room); }

// Written on worker 0's thread as publications come to the Exchange, read when all threads are
// gone; how many there are, anybody may ask at any time.
struct Sequence {
  std::vector<std::string> publications;
  std::atomic<std::size_t> count = 0;
};
using Sequences = std::array<Sequence, room_count>;

struct Sequencer final : ExchangePort {
  Exchange exchange;
  Sequences sequences;

  bool post(ToExchange letter) override {
    if (const auto* publish = std::get_if<Publish>(&letter)) {
      for (std::size_t room = 0; room < room_count; ++room) {
        if (!publish->frame->starts_with(key(room))) continue;
        sequences[room].publications.push_back(*publish->frame);
        ++sequences[room].count;
      }
    }
    return exchange.post(std::move(letter));
  }
};

// What a member heard between joining and leaving a room.
struct Stay {
  std::size_t room;
  std::size_t promised;  // publications before this one it may have missed
  bool to_the_end;
  std::vector<std::string> heard;
};

class Somebody final : public Rooms::Member {
 public:
  Somebody(Sequences& sequences, std::vector<Stay>& stays) : sequences_(sequences), stays_(stays) {}
  ~Somebody() { leave_all(false); }

  void act(Rooms& rooms, std::mt19937& random, unsigned worker, int& said) {
    const std::size_t room = random() % room_count;
    switch (random() % 4) {
      case 0:
        leave(room, false);
        rooms.leave(*this, key(room));
        break;
      case 1:
        if (rooms.join(*this, key(room)) == Rooms::Join::Joined && !in_[room]) begin(room);
        break;
      default:
        const auto* membership = rooms.find(*this, key(room));
        if (!membership || !membership->joined()) break;
        const std::string octets =
            key(room) + '#' + std::to_string(worker) + '#' + std::to_string(said++);
        CHECK(rooms.publish(*membership, std::make_shared<const std::string>(octets)));
    }
  }

  void leave_all(bool at_the_end) {
    for (std::size_t room = 0; room < room_count; ++room) leave(room, at_the_end);
  }

 private:
  void deliver(std::string_view, const proxy::SharedOctets& frame) override {
    for (std::size_t room = 0; room < room_count; ++room) {
      if (!frame->starts_with(key(room))) continue;
      REQUIRE(in_[room]);
      in_[room]->heard.push_back(*frame);
    }
  }
  void on_joined(std::string_view joined, bool confirmed) override {
    CHECK(confirmed);
    for (std::size_t room = 0; room < room_count; ++room) {
      if (joined == key(room)) begin(room);
    }
  }
  void on_starved(std::string_view) override { FAIL("nothing is dropped here"); }
  void on_unpublished(std::string_view, std::string_view) override { FAIL("there is no bus"); }

  void begin(std::size_t room) {
    in_[room] = std::make_unique<Stay>(Stay{room, sequences_[room].count, false, {}});
  }
  void leave(std::size_t room, bool at_the_end) {
    if (!in_[room]) return;
    in_[room]->to_the_end = at_the_end;
    stays_.push_back(std::move(*in_[room]));
    in_[room].reset();
  }

  Sequences& sequences_;
  std::vector<Stay>& stays_;
  std::array<std::unique_ptr<Stay>, room_count> in_;
};

// In the room where each worker says that it will say no more. Who has heard all of them has been
// given all that was ever said.
class Ending final : public Rooms::Member {
 public:
  explicit Ending(proxy::Loop& loop) : loop_(loop) {}

 private:
  void deliver(std::string_view, const proxy::SharedOctets&) override {
    if (++heard_ == worker_count) loop_.stop();
  }
  void on_joined(std::string_view, bool confirmed) override { CHECK(confirmed); }
  void on_starved(std::string_view) override { FAIL("nothing is dropped here"); }
  void on_unpublished(std::string_view, std::string_view) override { FAIL("there is no bus"); }

  proxy::Loop& loop_;
  unsigned heard_ = 0;
};

class Worker {
 public:
  Worker(unsigned index, ExchangePort& exchange, Sequences& sequences)
      : index_(index), sequences_(sequences), random_(index), rooms_(index, exchange) {
    for (std::size_t i = 0; i < members_each; ++i) add_member();
  }

  proxy::Mailbox& mailbox() { return mailbox_; }
  WorkerPort& rooms() { return rooms_; }
  WorkerPort& inbox() { return inbox_; }

  // Before the threads run, so that this is the first that the Exchange hears of each.
  void await_end() { rooms_.join(ending_, end_key); }

  void run() {
    mailbox_.post([this] { turn(); });
    loop_.run();
    for (auto& member : members_) member->leave_all(true);
    rooms_.stop();
  }

  std::vector<Stay> stays;

 private:
  void add_member() { members_.push_back(std::make_unique<Somebody>(sequences_, stays)); }

  void turn() {
    for (int i = 0; i < acts_each_turn; ++i) {
      auto& member = members_[random_() % members_.size()];
      member->act(rooms_, random_, index_, said_);
    }
    if (random_() % 16 == 0) {
      std::swap(members_[random_() % members_.size()], members_.back());
      members_.pop_back();
      add_member();
    }
    if (++turns_ < turns) {
      mailbox_.post([this] { turn(); });
    } else {
      CHECK(rooms_.publish(end_key, std::make_shared<const std::string>(end_key)));
    }
  }

  const unsigned index_;
  Sequences& sequences_;
  std::mt19937 random_;
  int turns_ = 0;
  int said_ = 0;
  proxy::Loop loop_;
  proxy::Mailbox mailbox_{loop_};
  Rooms rooms_;
  Inbox<ToWorker> inbox_{mailbox_, rooms_};
  Ending ending_{loop_};
  std::vector<std::unique_ptr<Somebody>> members_;
};

// Contiguous in the room's one order, from the first that was promised at the latest.
void check(const Stay& stay, const std::vector<std::string>& sequence) {
  std::size_t next = stay.promised;
  if (!stay.heard.empty()) {
    next = 0;
    while (next < sequence.size() && sequence[next] != stay.heard.front()) ++next;
    REQUIRE(next <= stay.promised);
    for (const auto& octets : stay.heard) {
      REQUIRE(next < sequence.size());
      REQUIRE(sequence[next++] == octets);
    }
  }
  if (stay.to_the_end) REQUIRE(next == sequence.size());
}

}  // namespace

TEST_SUITE("four workers on threads of their own") {
  TEST_CASE("members get exactly the publications of their rooms, in one order, none twice") {
    Sequencer sequencer;
    std::vector<std::unique_ptr<Worker>> workers;
    workers.push_back(std::make_unique<Worker>(0, sequencer, sequencer.sequences));
    Inbox<ToExchange> to_exchange(workers[0]->mailbox(), sequencer);
    for (unsigned i = 1; i < worker_count; ++i) {
      workers.push_back(std::make_unique<Worker>(i, to_exchange, sequencer.sequences));
    }
    for (auto& worker : workers) {
      sequencer.exchange.add_worker(worker == workers[0] ? worker->rooms() : worker->inbox());
    }
    for (auto& worker : workers) worker->await_end();
    {
      std::vector<std::jthread> threads;
      for (auto& worker : workers) threads.emplace_back([&worker] { worker->run(); });
    }
    std::size_t heard = 0;
    for (const auto& worker : workers) {
      for (const auto& stay : worker->stays) {
        check(stay, sequencer.sequences[stay.room].publications);
        heard += stay.heard.size();
      }
    }
    CHECK(heard > worker_count * turns);
    CHECK(sequencer.exchange.dropped() == 0);
  }
}
