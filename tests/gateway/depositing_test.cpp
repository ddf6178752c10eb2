#include "gateway/depositing.h"

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "auth/revocation.h"
#include "gateway/deposits_here.h"
#include "gateway/deposits_in_redis.h"
#include "tests/fakes/scripted_store.h"
#include "tests/gateway/captured_log.h"

using namespace gateway;
using namespace std::chrono_literals;
using Outcome = DepositAnswer::Outcome;

namespace {

constexpr auth::WallTime now{1'790'000'000s};

// What a worker is told, until the test lets it read.
struct Letters final : DepositAnswersPort {
  Depositing* worker = nullptr;
  std::deque<DepositAnswer> letters;

  bool post(DepositAnswer letter) override {
    letters.push_back(std::move(letter));
    return true;
  }
  void read() {
    for (auto& letter : std::exchange(letters, {})) worker->post(std::move(letter));
  }
};

struct Client final : Depositing::Asker {
  std::unique_ptr<Depositing::Question> question;
  std::string told;  // empty: nothing yet

  void on_deposit(DepositAnswer answer) override {
    static constexpr std::array<std::string_view, 4> names{"done", "not done", "away", "full"};
    (told += names[static_cast<std::size_t>(answer.outcome)]) += answer.grant;
    question.reset();  // as who goes when it is told
  }
};

struct Fixture {
  std::array<Depositing, 2> workers{Depositing(0), Depositing(1)};
  std::array<Letters, 2> letters;

  template <typename Deposits>
  void join(Deposits& deposits) {
    for (std::size_t i = 0; i < 2; ++i) {
      letters[i].worker = &workers[i];
      workers[i].join(deposits);
      deposits.add_worker(letters[i]);
    }
  }
  std::unique_ptr<Client> mark(std::string name, std::size_t worker = 0) {
    auto client = std::make_unique<Client>();
    client->question = workers[worker].mark_token(*client, std::move(name), 60s, now);
    return client;
  }
  std::unique_ptr<Client> keep(std::string name, std::string grant, std::size_t worker = 0) {
    auto client = std::make_unique<Client>();
    client->question =
        workers[worker].keep_ticket(*client, std::move(name), std::move(grant), 30s, now);
    return client;
  }
  std::unique_ptr<Client> take(std::string name, std::size_t worker = 0,
                               auth::WallTime when = now) {
    auto client = std::make_unique<Client>();
    client->question = workers[worker].take_ticket(*client, std::move(name), when);
    return client;
  }
  void read() {
    for (auto& each : letters) each.read();
  }
};

struct HereFixture : Fixture {
  Ledger ledger{10};
  DepositsHere deposits{ledger};
  HereFixture() { join(deposits); }
};

struct RedisFixture : Fixture {
  tests::CapturedLog captured;
  Audit audit{captured.log()};
  tests::ScriptedStore store;
  DepositsInRedis deposits{store, audit, "pre"};
  RedisFixture() {
    join(deposits);
    store.up();
  }
};

}  // namespace

TEST_SUITE("what serves once, on one instance") {
  TEST_CASE_FIXTURE(HereFixture, "a token is used once, whichever worker it comes to") {
    const auto first = mark("a");
    const auto second = mark("a", 1);
    const auto other = mark("b", 1);
    CHECK(first->told.empty());
    read();
    CHECK(first->told == "done");
    CHECK(second->told == "not done");
    CHECK(other->told == "done");
  }

  TEST_CASE_FIXTURE(HereFixture,
                    "a ticket is taken once, whichever worker it comes to, and in time") {
    const auto kept = keep("a", " grant");
    const auto again = keep("a", " another");
    const auto late = keep("b", " grant");
    const auto first = take("a", 1);
    const auto second = take("a");
    const auto too_late = take("b", 0, now + 30s);
    read();
    CHECK(kept->told == "done");
    CHECK(again->told == "not done");
    CHECK(late->told == "done");
    CHECK(first->told == "done grant");
    CHECK(second->told == "not done");
    CHECK(too_late->told == "not done");
  }

  TEST_CASE_FIXTURE(HereFixture, "tokens and tickets are apart, also where they are named alike") {
    const auto token = mark("a");
    const auto ticket = keep("a", "");
    read();
    CHECK(token->told == "done");
    CHECK(ticket->told == "done");
  }

  TEST_CASE_FIXTURE(HereFixture, "where there is no room nobody is let in, and it is bounded") {
    const std::string big(auth::Deposits::octets_each * 64, 'x');
    std::size_t kept = 0;
    std::string last;
    for (int i = 0; last != "full" && i < 100'000; ++i) {
      const auto client = keep(std::to_string(i), big);
      read();
      last = client->told;
      if (last == "done") ++kept;
    }
    CHECK(last == "full");
    CHECK(kept * big.size() < Ledger::deposits_octets_max);
    const auto token = mark("a");
    read();
    CHECK(token->told == "done");
  }

  TEST_CASE_FIXTURE(HereFixture, "who has left is told nothing") {
    auto client = mark("a");
    client.reset();
    read();
    const auto second = mark("a");
    read();
    CHECK(second->told == "not done");
  }
}

TEST_SUITE("what serves once, in Redis") {
  TEST_CASE_FIXTURE(RedisFixture, "is one command each") {
    const auto token = mark("a", 1);
    const auto kept = keep("b", "{}");
    const auto taken = take("b", 1);
    CHECK(store.next() == "SET pre:once:a  NX PX 60000");
    store.answer("+OK\r\n");
    CHECK(store.next() == "SET pre:ticket:b {} NX PX 30000");
    store.answer("+OK\r\n");
    CHECK(store.next() == "GETDEL pre:ticket:b");
    store.answer("$2\r\n{}\r\n");
    CHECK(token->told.empty());
    read();
    CHECK(token->told == "done");
    CHECK(kept->told == "done");
    CHECK(taken->told == "done{}");
  }

  TEST_CASE_FIXTURE(RedisFixture, "whoever comes second is told so") {
    const auto token = mark("a");
    const auto kept = keep("b", "{}");
    const auto taken = take("b");
    for (int i = 0; i < 3; ++i) store.answer("$-1\r\n");
    read();
    CHECK(token->told == "not done");
    CHECK(kept->told == "not done");
    CHECK(taken->told == "not done");
  }

  TEST_CASE_FIXTURE(RedisFixture, "what is no answer lets nobody in") {
    const auto token = mark("a");
    const auto taken = take("b");
    store.answer(":1\r\n");
    store.answer("*0\r\n");
    read();
    CHECK(token->told == "not done");
    CHECK(taken->told == "not done");
  }

  TEST_CASE_FIXTURE(RedisFixture, "where Redis is away or its answer is lost, nobody can say") {
    const auto lost = mark("a");
    store.down();
    const auto away = mark("b");
    const auto ticket = take("c", 1);
    CHECK(away->told.empty());
    read();
    CHECK(lost->told == "away");
    CHECK(away->told == "away");
    CHECK(ticket->told == "away");
  }

  TEST_CASE_FIXTURE(RedisFixture, "what Redis refuses is not done, whatever it does besides") {
    const auto first = mark("a");
    const auto second = mark("a");
    const auto third = mark("a");
    store.answer("-OOM no\r\n");
    store.answer("+OK\r\n");
    store.answer("-OOM no\r\n");
    read();
    CHECK(first->told == "away");
    CHECK(second->told == "done");
    CHECK(third->told == "away");
  }

  TEST_CASE_FIXTURE(RedisFixture,
                    "why Redis refuses the log says, and not as often as it is asked") {
    std::vector<std::unique_ptr<Client>> clients;
    const auto take_at = [&](auth::WallTime when, const char* reply) {
      clients.push_back(take("a", 0, when));
      store.answer(reply);
    };
    for (int i = 0; i < 100; ++i) {
      take_at(now, "-NOPERM no\r\n");
      take_at(now, "$-1\r\n");
    }
    take_at(now + DepositsInRedis::said_every - 1ms, "-OOM no\r\n");
    take_at(now + DepositsInRedis::said_every, "-OOM no\r\n");
    const auto lines = captured.lines();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].contains(R"("event":"single_use_refused","reason":"NOPERM")"));
    CHECK(lines[1].contains("OOM"));
  }
}

TEST_SUITE("the mark of a token") {
  TEST_CASE("is kept to the end of its token, and as long as clocks may be apart") {
    auth::Principal principal;
    principal.good_until = now + 90s;
    CHECK(mark_kept_for(principal, now) == 90s + auth::clocks_apart_max + 10min);
    CHECK(mark_kept_for(principal, now + 2h) == auth::clocks_apart_max + 10min);
  }
}
