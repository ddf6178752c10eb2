#include "gateway/shared_counts.h"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gateway/counting.h"
#include "tests/fakes/scripted_store.h"
#include "tests/gateway/captured_log.h"

using namespace gateway;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

namespace {

// What a worker is told, until the test lets it read.
struct Letters final : CountedPort {
  Counting* worker = nullptr;
  std::deque<Counted> letters;

  bool post(Counted letter) override {
    letters.push_back(letter);
    return true;
  }
  void read() {
    for (const auto& letter : std::exchange(letters, {})) worker->post(letter);
  }
};

struct Client final : Counting::Asker {
  std::unique_ptr<Counting::Ticket> ticket;
  std::string told;  // empty: nothing yet

  void on_counted(bool within) override {
    told += within ? "in" : "out";
    if (!within) ticket.reset();
  }
};

struct Fixture {
  tests::CapturedLog captured;
  Audit audit{captured.log()};
  proxy::Timers timers{proxy::Instant{}};
  proxy::FlushList flushes;
  tests::ScriptedStore store;
  SharedCounts counts{timers, flushes, store, audit, "pre"};
  std::array<Counting, 2> workers{Counting(0), Counting(1)};
  std::array<Letters, 2> letters;
  std::string id;

  Fixture() {
    for (std::size_t i = 0; i < 2; ++i) {
      workers[i].join(counts);
      letters[i].worker = &workers[i];
      counts.add_worker(letters[i]);
    }
  }
  ~Fixture() {
    for (auto& worker : workers) worker.stop();
  }

  void begin() {
    store.up();
    store.answer_load();
    id = store.arguments_asked().at(1);
    store.answer_numbers({0});
  }
  std::unique_ptr<Client> client(std::string_view subject, std::size_t worker = 0) {
    auto made = std::make_unique<Client>();
    made->ticket = workers[worker].count(*made, shared_key("r", subject), 10);
    return made;
  }
  // Asked and answered.
  std::unique_ptr<Client> counted(std::string_view subject, bool within = true) {
    auto made = client(subject);
    flushes.flush();
    store.answer_numbers({1, within});
    read();
    return made;
  }
  void read() {
    for (auto& each : letters) each.read();
  }
  void pass(proxy::Duration time) {
    timers.advance_to({timers.now().monotonic + time, timers.now().wall});
    flushes.flush();
  }
  // The key, our own number and the most of each entry in the oldest question.
  std::vector<std::string> entries() const {
    const auto keys = store.keys_asked();
    const auto arguments = store.arguments_asked();
    std::vector<std::string> all;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      all.push_back(
          fmt::format("{} {} {}", keys[i], arguments.at(5 + 2 * i), arguments.at(6 + 2 * i)));
    }
    return all;
  }
};

}  // namespace

TEST_SUITE("connections that instances count together") {
  TEST_CASE_FIXTURE(Fixture,
                    "an instance says that it lives before anything else, and nobody waits") {
    store.up();
    CHECK(store.settlements == 1);
    store.answer_load();
    CHECK(store.keys_asked().empty());
    const auto said = store.arguments_asked();
    REQUIRE(said.size() == 5);
    CHECK(said[0] == "pre:instance:");
    CHECK(said[1].size() == 32);
    CHECK(said[2] == "");
    CHECK(said[3] == "15000");
    CHECK(said[4] == "3600000");
  }

  TEST_CASE_FIXTURE(Fixture, "who is within the limit is told so, who is not is not counted") {
    begin();
    auto alice = client("alice", 1);
    auto bob = client("bob");
    flushes.flush();
    REQUIRE(store.asked.size() == 1);
    CHECK(entries() == Words{"pre:connections:r:alice 1 10", "pre:connections:r:bob 1 10"});
    CHECK(counts.clients() == 2);
    store.answer_numbers({1, 1, 0});
    CHECK(alice->told == "");
    read();
    CHECK(alice->told == "in");
    CHECK(bob->told == "out");
    CHECK(counts.clients() == 1);
    CHECK(counts.subjects() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "what is here is said as a whole, with each question and each end") {
    begin();
    auto first = counted("alice");
    auto second = client("alice");
    flushes.flush();
    CHECK(entries() == Words{"pre:connections:r:alice 2 10"});
    store.answer_numbers({1, 1});
    first.reset();
    flushes.flush();
    CHECK(entries() == Words{"pre:connections:r:alice 1 0"});
    store.answer_numbers({1, 1});
    second.reset();
    flushes.flush();
    CHECK(entries() == Words{"pre:connections:r:alice 0 0"});
    store.answer_numbers({1, 1});
    CHECK(counts.subjects() == 0);
    CHECK(store.asked.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "whatever was said while a question was refused is put right") {
    begin();
    auto first = counted("alice");
    auto second = client("alice");
    flushes.flush();
    first.reset();  // says that there is one: the second
    flushes.flush();
    store.answer_numbers({1, 0});
    store.answer_numbers({1, 1});
    flushes.flush();
    CHECK(entries() == Words{"pre:connections:r:alice 0 0"});
  }

  TEST_CASE_FIXTURE(Fixture, "who leaves while the question is under way gives the count back") {
    begin();
    auto alice = client("alice");
    flushes.flush();
    alice.reset();
    CHECK(counts.clients() == 0);
    flushes.flush();
    store.answer_numbers({1, 1});
    CHECK(entries() == Words{"pre:connections:r:alice 0 0"});
    store.answer_numbers({1, 1});
    read();
    CHECK(letters[0].letters.empty());
    CHECK(counts.subjects() == 0);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "who leaves before it has read that it is refused gives nothing back twice") {
    begin();
    auto stays = counted("alice");
    auto leaves = client("alice");
    flushes.flush();
    store.answer_numbers({1, 0});
    leaves.reset();
    read();
    CHECK(counts.clients() == 1);
    auto next = client("alice");
    flushes.flush();
    CHECK(entries() == Words{"pre:connections:r:alice 2 10"});
    store.answer_numbers({1, 1});
    CHECK(entries() == Words{"pre:connections:r:alice 2 0"});  // what is said of the refused one
  }

  TEST_CASE_FIXTURE(Fixture, "with Redis away, late or wrong the instance's own count decides") {
    auto before = client("alice");
    flushes.flush();
    read();
    CHECK(before->told == "in");
    begin();

    auto late = client("bob");
    flushes.flush();
    pass(SharedCounts::answer_late - 1ms);
    read();
    CHECK(late->told == "");
    pass(1ms);
    read();
    CHECK(late->told == "in");
    store.answer_numbers({1, 0});  // and stays in
    read();
    CHECK(late->told == "in");
    flushes.flush();
    CHECK(entries() == Words{"pre:connections:r:bob 1 0"});
    store.answer_numbers({1, 1});

    for (const auto* reply : {"*0\r\n", "+OK\r\n", "*2\r\n:1\r\n$1\r\nx\r\n", "-NOPERM no\r\n"}) {
      auto wrong = client("carol");
      flushes.flush();
      store.answer(reply);
      read();
      CHECK(wrong->told == "in");
      wrong.reset();
      flushes.flush();
      if (!store.asked.empty()) store.answer_numbers({1, 1});  // the refused script is of no use
    }
    CHECK(captured.lines().size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "each who waits is answered in its time, none twice") {
    begin();
    auto first = client("alice");
    flushes.flush();
    pass(600ms);
    auto second = client("bob");
    flushes.flush();
    store.answer_numbers({1, 1});
    read();
    pass(400ms);
    read();
    CHECK(first->told == "in");
    CHECK(second->told == "");
    pass(600ms);
    read();
    CHECK(first->told == "in");
    CHECK(second->told == "in");
  }
}

TEST_SUITE("an instance that lives") {
  TEST_CASE_FIXTURE(Fixture, "it says so every 5 s, within the 15 that others believe it") {
    static_assert(SharedCounts::renewed_every * 2 < SharedCounts::alive_for);
    begin();
    for (int i = 0; i < 3; ++i) {
      pass(SharedCounts::renewed_every - 1ms);
      CHECK(store.asked.empty());
      pass(1ms);
      CHECK(store.keys_asked().empty());
      CHECK(store.arguments_asked().at(1) == id);
      store.answer_numbers({1});
      CHECK(store.asked.empty());
    }
  }

  TEST_CASE_FIXTURE(Fixture,
                    "one that was given up goes on under another id, with all that it has") {
    begin();
    auto alice = counted("alice");
    pass(SharedCounts::renewed_every);
    store.answer_numbers({0});
    CHECK(store.arguments_asked().at(1) != id);
    CHECK(store.arguments_asked().at(2) == id);
    CHECK(entries() == Words{"pre:connections:r:alice 1 0"});
    store.answer_numbers({0, 1});
    CHECK(store.asked.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "back from being away it says all again, batch after batch") {
    std::vector<std::unique_ptr<Client>> all;
    for (int i = 0; i < 300; ++i) all.push_back(client(std::to_string(i)));
    flushes.flush();
    std::set<std::string> said;
    std::vector<std::size_t> sizes;
    store.up();
    store.answer_load();
    while (!store.asked.empty()) {
      CHECK(store.asked.size() == 1);
      for (const auto& entry : entries()) said.insert(entry);
      sizes.push_back(store.keys_asked().size());
      std::vector<int> numbers(sizes.back() + 1, 1);
      numbers[0] = sizes.size() > 1;
      store.answer_numbers(numbers);
    }
    CHECK(sizes == std::vector<std::size_t>{128, 128, 44});
    CHECK(said.size() == 300);

    const auto former = counts.clients();
    store.down();
    all[7].reset();
    CHECK(counts.clients() == former - 1);
    flushes.flush();
    store.up();
    store.answer_load();
    const auto arguments = store.arguments_asked();
    CHECK(arguments[1] != arguments[2]);
    CHECK(arguments[2].size() == 32);
  }

  TEST_CASE_FIXTURE(Fixture, "an id that was given up is void as soon as Redis hears of anything") {
    begin();
    store.down();
    store.up();
    store.answer_load();
    const auto second = store.arguments_asked().at(1);
    store.down();  // that was lost
    store.up();
    store.answer_load();
    CHECK(store.arguments_asked().at(2) == id + ' ' + second);
    store.answer_numbers({0});
    pass(SharedCounts::renewed_every);
    CHECK(store.arguments_asked().at(2).empty());
  }

  TEST_CASE_FIXTURE(Fixture, "who leaves in the iteration in which it came leaves nothing behind") {
    begin();
    auto alice = client("alice");
    alice.reset();
    flushes.flush();
    CHECK(entries() == Words{"pre:connections:r:alice 1 10"});
    store.answer_numbers({1, 1});
    CHECK(entries() == Words{"pre:connections:r:alice 0 0"});
  }

  TEST_CASE_FIXTURE(Fixture, "given up while it says all again, it begins anew and says it once") {
    std::vector<std::unique_ptr<Client>> all;
    for (int i = 0; i < 300; ++i) all.push_back(client(std::to_string(i)));
    flushes.flush();
    store.up();
    store.answer_load();
    id = store.arguments_asked().at(1);
    store.answer_numbers(std::vector<int>(129, 0));
    pass(SharedCounts::renewed_every);
    store.answer_numbers(std::vector<int>(129, 0));  // to the second batch: we do not live
    std::size_t written = 0;
    while (!store.asked.empty()) {
      const auto size = store.keys_asked().size();
      if (store.arguments_asked().at(1) != id) written += size;
      store.answer_numbers(std::vector<int>(size + 1, 1));
    }
    CHECK(written == 300);
  }

  TEST_CASE_FIXTURE(Fixture, "what Redis had no room for is made good with the next renewal") {
    begin();
    auto alice = counted("alice");
    store.full = true;
    alice.reset();
    flushes.flush();
    store.full = false;
    pass(SharedCounts::renewed_every);
    CHECK(store.arguments_asked().at(1) != id);
    CHECK(store.arguments_asked().at(2) == id);
    store.answer_numbers({0});
    CHECK(store.asked.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "what it has is written again before Redis forgets it") {
    static_assert(SharedCounts::written_every * 2 < SharedCounts::kept_for);
    begin();
    auto alice = counted("alice");
    int written = 0;
    for (auto time = 0s; time < SharedCounts::kept_for; time += SharedCounts::renewed_every) {
      pass(SharedCounts::renewed_every);
      written += static_cast<int>(store.keys_asked().size());
      store.answer_numbers(std::vector<int>(store.keys_asked().size() + 1, 1));
    }
    CHECK(written == 3);
    CHECK(store.asked.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "one whose clients come and go in any order is never wrong for good") {
    // Redis, as the script keeps it: our number of each key.
    std::map<std::string, int> kept;
    const auto serve = [&](bool within) {
      const auto keys = store.keys_asked();
      const auto arguments = store.arguments_asked();
      std::vector<int> answer{1};
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const bool good = within || arguments[6 + 2 * i] == "0";
        if (good) kept[keys[i]] = std::stoi(arguments[5 + 2 * i]);
        if (kept[keys[i]] == 0) kept.erase(keys[i]);
        answer.push_back(good);
      }
      store.answer_numbers(answer);
    };
    begin();
    std::uint32_t random = 1;
    const auto next = [&](std::uint32_t below) {
      random = random * 1664525 + 1013904223;
      return (random >> 16) % below;
    };
    std::vector<std::unique_ptr<Client>> clients;
    for (int step = 0; step < 20'000; ++step) {
      switch (next(6)) {
        case 0:
        case 1:
          clients.push_back(client(std::to_string(next(3)), next(2)));
          break;
        case 2:
          if (!clients.empty()) {
            std::swap(clients[next(static_cast<std::uint32_t>(clients.size()))], clients.back());
            clients.pop_back();
          }
          break;
        case 3:
          flushes.flush();
          break;
        case 4:
          if (!store.asked.empty()) serve(next(2) == 0);
          break;
        case 5:
          read();
          break;
      }
    }
    for (int i = 0; i < 3; ++i) {
      flushes.flush();
      while (!store.asked.empty()) serve(false);
      read();
    }
    std::size_t open = 0;
    for (const auto& one : clients) open += one->told == "in";
    CHECK(open > 0);
    CHECK(counts.clients() == open);
    int all = 0;
    for (const auto& [key, number] : kept) all += number;
    CHECK(all == static_cast<int>(open));
    clients.clear();
    flushes.flush();
    while (!store.asked.empty()) serve(false);
    CHECK(kept.empty());
    CHECK(counts.subjects() == 0);
  }
}
