#include "gateway/shared_buckets.h"

#include <string>
#include <vector>

#include "tests/fakes/scripted_store.h"
#include "tests/gateway/captured_log.h"

using namespace gateway;
using namespace std::chrono_literals;
using Kind = Lease::Verdict::Kind;
using Words = std::vector<std::string>;

namespace {

const auth::RateLimit hundred{.permits_per_second = 100, .permits_max = 100};
constexpr auto route = "00000000000000ff";

struct Fixture {
  tests::CapturedLog captured;
  Audit audit{captured.log()};
  proxy::Timers timers{proxy::Instant{}};
  proxy::FlushList flushes;
  tests::ScriptedStore store;
  Ledger ledger{100};
  SharedBuckets buckets{timers, flushes, store, ledger, audit, "pre"};

  void begin() {
    store.up();
    store.answer_load();
  }
  Kind message(std::string_view subject, std::size_t index = 3) {
    const auto said = ledger.take_shared_message(ledger.shared_subject_name(index, subject),
                                                 hundred, timers.now().monotonic);
    if (said.question) {
      buckets.post({index, shared_key(route, subject), subject.size(), hundred, *said.question});
    }
    return said.kind;
  }
  int passed(std::string_view subject, int count) {
    int passes = 0;
    for (int i = 0; i < count; ++i) passes += message(subject) == Kind::Pass;
    return passes;
  }
};

}  // namespace

TEST_SUITE("buckets that instances share") {
  TEST_CASE_FIXTURE(Fixture, "nobody waits for them before the bus is back") {
    store.up();
    CHECK(store.settlements == 1);
    CHECK(store.residents.at(0)->channel().empty());
  }

  TEST_CASE_FIXTURE(Fixture, "questions of one iteration are one script") {
    begin();
    CHECK(message("alice") == Kind::Ask);
    CHECK(message("alice") == Kind::Ask);
    CHECK(message("bob\r\n:\\0 é") == Kind::Ask);
    CHECK(store.asked.empty());
    flushes.flush();
    REQUIRE(store.asked.size() == 1);
    CHECK(store.keys_asked() ==
          Words{"pre:limit:00000000000000ff:alice", "pre:limit:00000000000000ff:bob\r\n:\\0 é"});
    CHECK(store.arguments_asked() == Words{"100", "100", "0", "10", "100", "100", "0", "10"});
    store.answer_numbers({10, 0, 2, 30});
    CHECK(passed("alice", 100) == 20);  // and a lease ahead of the next answer
    CHECK(passed("bob\r\n:\\0 é", 100) == 2);
    CHECK(buckets.asked() == 2);
    CHECK(buckets.unanswered() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "what an answer leaves owed is asked for with the next iteration") {
    begin();
    message("alice");
    flushes.flush();
    store.answer_numbers({10, 0});
    CHECK(passed("alice", 100) == 20);
    flushes.flush();
    CHECK(store.arguments_asked() == Words{"100", "100", "0", "8"});
    store.answer_numbers({1, 20});
    flushes.flush();
    CHECK(store.arguments_asked() == Words{"100", "100", "9", "10"});
  }

  TEST_CASE_FIXTURE(Fixture, "many subjects are asked for by the batch") {
    begin();
    for (int i = 0; i < 300; ++i) message(std::to_string(i));
    flushes.flush();
    std::vector<std::size_t> sizes;
    while (!store.asked.empty()) {
      sizes.push_back(store.keys_asked().size());
      store.answer_numbers(std::vector<int>(2 * sizes.back(), 0));
    }
    CHECK(sizes == std::vector<std::size_t>{128, 128, 44});
  }

  TEST_CASE_FIXTURE(Fixture, "without Redis the instance decides alone, and with it again") {
    CHECK_FALSE(buckets.sharing());
    CHECK(passed("alice", 200) == 100);
    begin();
    CHECK(buckets.sharing());
    CHECK(message("bob") == Kind::Ask);
    flushes.flush();
    store.down();
    CHECK_FALSE(buckets.sharing());
    CHECK(passed("bob", 200) == 100);
    CHECK(buckets.unanswered() == 1);
    begin();
    CHECK(message("carol") == Kind::Ask);
  }

  TEST_CASE_FIXTURE(Fixture, "a question that comes when Redis has gone has no answer") {
    begin();
    CHECK(message("alice") == Kind::Ask);
    store.down();
    flushes.flush();
    CHECK(buckets.unanswered() == 1);
    begin();
    CHECK(message("alice") == Kind::Ask);
    flushes.flush();
    CHECK(store.asked.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "what is no answer to so many questions is none") {
    begin();
    for (const auto* reply : {"*0\r\n", "*1\r\n:5\r\n", "*2\r\n:5\r\n$1\r\nx\r\n", "+OK\r\n",
                              "$-1\r\n", "*4\r\n:5\r\n:0\r\n:5\r\n:0\r\n"}) {
      CAPTURE(reply);
      CHECK(message("alice") == Kind::Ask);
      flushes.flush();
      store.answer(reply);
      CHECK(message("alice") == Kind::Ask);
      flushes.flush();
      store.answer_numbers({0, 0});  // begins anew
      ledger.settle(ledger.shared_subject_name(3, "alice"), hundred, std::nullopt, {});
    }
    CHECK(buckets.unanswered() == 6);
  }

  TEST_CASE_FIXTURE(Fixture, "no more is granted than was asked for, and no wait is over a day") {
    begin();
    message("alice");
    flushes.flush();
    store.answer_numbers({1'000'000, -5});
    CHECK(passed("alice", 100) == 20);
    message("bob");
    flushes.flush();
    store.answer_numbers({0, 0, -3, 2'000'000'000});  // to alice and to bob
    const auto said = ledger.take_shared_message(ledger.shared_subject_name(3, "bob"), hundred, {});
    CHECK(said.kind == Kind::Refuse);
    CHECK(said.wait == 24h);
  }

  TEST_CASE_FIXTURE(Fixture, "where Redis refuses, it is one line however many were asked") {
    begin();
    for (int i = 0; i < 300; ++i) message(std::to_string(i));
    flushes.flush();
    while (!store.asked.empty()) store.answer("-NOPERM no\r\n");
    CHECK_FALSE(buckets.sharing());
    CHECK(passed("1", 200) == 100);
    CHECK(captured.lines().size() == 1);
  }
}
