#include "gateway/sweeps.h"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "gateway/exchange.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/frames.h"
#include "tests/fakes/scripted_session_store.h"
#include "tests/gateway/captured_log.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace {

constexpr proxy::WallTime begin{std::chrono::seconds(1'790'000'000)};
constexpr auth::WallTime now{std::chrono::seconds(1'790'000'000)};

// A worker with sessions of room clients, and the test at their other ends.
struct Fixture : Session::Host {
  tests::CapturedLog captured;
  Audit log{captured.log()};
  RefusalSampler sampler{log};
  WorkerCounters counted;
  Ledger ledger{100'000};
  Exchange exchange;
  Rooms rooms{0, exchange};
  EnvelopeReader reader;
  auth::RuleOfRoom rule_of_room;
  const RoomServices services{rooms, reader, ledger, rule_of_room};
  proxy::FlushList flush_list;
  proxy::Timers clock{proxy::Instant{{}, begin}};
  KeyRing keys{clock, [](const auto&) {}};
  tests::ScriptedSessionStore login_sessions;
  Depositing deposits{0};
  std::shared_ptr<Policy> policy = std::make_shared<Policy>();
  std::shared_ptr<const ServedPolicy> served_policy;
  AskedTable asked;
  AdoptionTally adopted;
  Revocations revoked;
  std::vector<std::shared_ptr<tests::Peer>> clients;
  std::vector<std::unique_ptr<Session>> sessions;

  Fixture() {
    exchange.add_worker(rooms);
    policy->routes.resize(1);
    policy->routes[0].path = *PathPattern::parse("/chat");
    policy->routes[0].rooms.emplace();
    served_policy = serve_policy(policy, 0, ledger, nullptr);
  }

  proxy::Timers& timers() override { return clock; }
  proxy::FlushList& flushes() override { return flush_list; }
  Audit& audit() override { return log; }
  RefusalSampler& refusals() override { return sampler; }
  WorkerCounters& counters() override { return counted; }
  const Revocations& revocations() override { return revoked; }
  KeyRing& key_ring() override { return keys; }
  SessionStore& session_store(const SessionSettings&) override { return login_sessions; }
  Depositing& depositing() override { return deposits; }
  const RoomServices& room_services() override { return services; }
  const std::shared_ptr<const ServedPolicy>& served() override { return served_policy; }
  AdoptionTally& adoptions() override { return adopted; }
  void retire(Session&) override {}

  static ConnectionId nth_id(std::size_t n) {
    return *parse_connection_id(fmt::format("{:016x}", n));
  }

  void open(std::string subject, std::optional<auth::WallTime> issued_at = now,
            std::string token_id = {}) {
    AdmittedClient admitted;
    admitted.served = served_policy;
    admitted.asked = asked.keep({"", "/chat", std::nullopt, false});
    admitted.identity.id = nth_id(clients.size());
    admitted.identity.route = &policy->routes[0];
    admitted.identity.subject = admitted.principal.subject = std::move(subject);
    admitted.principal.issued_at = issued_at;
    admitted.principal.token_id = std::move(token_id);
    admitted.mark = revoked.mark_of(admitted.principal);
    admitted.client =
        std::make_unique<tests::FakeTransport>(clients.emplace_back(new tests::Peer()));
    Session::Host& host = *this;
    sessions.push_back(std::make_unique<Session>(host, std::move(admitted)));
    sessions.back()->start({}, {});
  }

  // As a worker does when a client is gone.
  void remove(std::size_t place) {
    std::swap(sessions[place], sessions.back());
    sessions.pop_back();
  }

  SweepWalk walk(std::vector<ConnectionId> connections = {}) const {
    return {revoked, std::make_shared<const std::vector<ConnectionId>>(std::move(connections))};
  }
  bool step(SweepWalk& walk) { return walk.step({sessions, rooms, clock.now()}); }

  // The status code that the client of this number got; 0: none.
  int code(std::size_t client) {
    flush_list.flush();
    const auto frames = tests::read_frames(clients[client]->read());
    if (frames.empty() || frames.back().first != 0x88) return 0;
    const auto octet = [&](std::size_t i) {
      return static_cast<std::uint8_t>(frames.back().payload.at(i));
    };
    return octet(0) << 8 | octet(1);
  }
};

}  // namespace

TEST_SUITE("CONTRACT 7: what is revoked is closed with 4410") {
  TEST_CASE_FIXTURE(Fixture, "whoever is met, and nobody else") {
    open("alice");
    open("bob");
    open("alice", now + 1s);
    open("alice", {});
    open("bob", now, "5f0c");
    revoked.add({"alice", now, now + 1h});
    revoked.add({"5f0c", {}, now + 1h});
    auto once = walk();
    CHECK_FALSE(step(once));
    CHECK(code(0) == 4410);
    CHECK(code(1) == 0);
    CHECK(code(2) == 0);
    CHECK(code(3) == 4410);
    CHECK(code(4) == 4410);
    CHECK(revoked.closed() == 3);
  }

  TEST_CASE_FIXTURE(Fixture, "one that is closing already is neither closed nor counted again") {
    open("alice");
    revoked.add({"alice", now, now + 1h});
    auto first = walk();
    step(first);
    auto second = walk();
    step(second);
    CHECK(revoked.closed() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a connection that is named, whatever is revoked") {
    for (int i = 0; i < 4; ++i) open("alice");
    auto once = walk({nth_id(1), nth_id(3)});
    step(once);
    CHECK(code(0) == 0);
    CHECK(code(1) == 4410);
    CHECK(code(2) == 0);
    CHECK(code(3) == 4410);
    CHECK(revoked.closed() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "by the slice, and all who stay are met although others go") {
    const auto count = 2 * survey_slice + 2;
    for (std::size_t i = 0; i < count; ++i) open("alice");
    revoked.add({"alice", now, now + 1h});
    auto sliced = walk();
    CHECK(step(sliced));
    CHECK(revoked.closed() == survey_slice);
    remove(0);
    remove(count / 2);
    CHECK(step(sliced));
    CHECK(revoked.closed() <= 2 * survey_slice);
    CHECK_FALSE(step(sliced));
    for (const auto& session : sessions) REQUIRE_FALSE(session->open());
  }
}

TEST_SUITE("Walks through the sessions") {
  struct Walks {
    tests::CapturedLog captured;
    Audit audit{captured.log()};
    Revocations revoked;
    std::vector<std::vector<ConnectionId>> begun;
    Sweeps sweeps{revoked, audit, [this](auto what) { begun.push_back(*what); }};

    void revoke(const auth::Revocation& revocation,
                std::optional<proxy::IpAddress> asked_by = std::nullopt) {
      sweeps.revoked(revoked.add(revocation).now, asked_by);
    }
    // As a walk does that finds so many sessions.
    void close(std::string_view subject, int count) {
      while (count-- > 0) CHECK(revoked.closes(subject, {}, now));
    }
  };
  const auth::Revocation of_alice{"alice", now, now + 1h};

  TEST_CASE_FIXTURE(Walks, "what comes while one is under way waits for the next, together") {
    revoke(of_alice);
    CHECK(begun.size() == 1);
    revoke({"bob", now, now + 1h});
    CHECK(sweeps.close(Fixture::nth_id(2)));
    CHECK(sweeps.close(Fixture::nth_id(1)));
    CHECK(begun.size() == 1);
    sweeps.on_swept();
    REQUIRE(begun.size() == 2);
    CHECK(begun.back() == std::vector{Fixture::nth_id(1), Fixture::nth_id(2)});
    sweeps.on_swept();
    CHECK(begun.size() == 2);
    sweeps.look();
    CHECK(begun.size() == 3);
    CHECK(begun.back().empty());
  }

  TEST_CASE_FIXTURE(Walks, "a line says what was revoked, who asked, and how many it closed here") {
    revoke(of_alice, proxy::IpAddress::parse("192.0.2.7"));
    close("alice", 3);
    sweeps.on_swept();
    revoke({"5f0c", {}, now + 1h});
    sweeps.on_swept();
    revoke({"alice", now + 1s, now + 1h});
    close("alice", 1);
    sweeps.on_swept();
    CHECK(
        captured.lines() ==
        std::vector<std::string>{
            R"({"level":"info","event":"revoked","subject":"alice","address":"192.0.2.7","closed":3})",
            R"({"level":"info","event":"revoked","token_id":"5f0c","closed":0})",
            R"({"level":"info","event":"revoked","subject":"alice","closed":1})"});
  }

  TEST_CASE_FIXTURE(Walks, "lines are bounded and counted, connections are bounded") {
    revoke(of_alice);
    for (std::size_t i = 0; i < Sweeps::lines_max + 2; ++i) {
      revoke({fmt::format("s{}", i), now, now + 1h});
    }
    for (std::size_t i = 0; i < Sweeps::connections_max; ++i) {
      REQUIRE(sweeps.close(Fixture::nth_id(i)));
    }
    CHECK_FALSE(sweeps.close(Fixture::nth_id(0)));
    sweeps.on_swept();
    sweeps.on_swept();
    CHECK(sweeps.close(Fixture::nth_id(0)));
    const auto lines = captured.lines();
    CHECK(lines.size() == 1 + Sweeps::lines_max + 1);
    CHECK(lines.back() == R"({"level":"info","event":"revoked_suppressed","count":2})");
  }
}
