#include "gateway/session.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "auth/fingerprint.h"
#include "auth/issue.h"
#include "auth/single_use.h"
#include "gateway/exchange.h"
#include "tests/auth/json_text.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/frames.h"
#include "tests/fakes/scripted_session_store.h"
#include "tests/gateway/captured_log.h"

using namespace std::chrono_literals;
using namespace std::string_literals;

namespace tests {

namespace {

constexpr proxy::WallTime begin{std::chrono::seconds(1'700'000'000)};

constexpr const char* secret = "the secret of the tests, 32 octets";

std::shared_ptr<const gateway::Authenticator> users(const char* of = secret, bool once = false) {
  auth::TokenRules rules;
  rules.authenticator = "users";
  rules.issuer = "https://id.example/";
  rules.algorithms = {auth::Algorithm::HS256};
  rules.leeway = 0ms;
  rules.once = once;
  auth::KeySet keys;
  REQUIRE(keys.add_secret(of, rules.algorithms, {}));
  auto made = std::make_shared<gateway::Authenticator>();
  made->name = "users";
  made->verifier = std::make_shared<const auth::TokenVerifier>(
      rules, std::make_shared<auth::KeySet>(std::move(keys)));
  return made;
}

std::shared_ptr<const gateway::Authenticator> web() {
  auto settings = std::make_shared<gateway::SessionSettings>();
  settings->rules = {.authenticator = "web",
                     .subject_prefix = "",
                     .subject = "/user",
                     .claims = {{"role", "/role"}}};
  auto made = std::make_shared<gateway::Authenticator>();
  made->name = "web";
  made->session = std::move(settings);
  return made;
}

// `issued`: none: it does not say.
std::string token(std::string_view subject, std::chrono::seconds end,
                  std::optional<std::chrono::seconds> issued = {}, std::string_view token_id = {}) {
  auto made = auth::issue_token(
      auth::Algorithm::HS256, secret,
      R"({"iss":"https://id.example/","sub":")" + std::string(subject) + R"(","exp":)" +
          std::to_string((begin.time_since_epoch() + end) / 1s) +
          (token_id.empty() ? "" : R"(,"jti":")" + std::string(token_id) + '"') +
          (issued ? R"(,"iat":)" + std::to_string((begin.time_since_epoch() + *issued) / 1s) : "") +
          "}");
  REQUIRE(made);
  return *made;
}

std::string refresh(std::string_view token) {
  return masked(0x81, R"({"type":"refresh","token":")" + std::string(token) + R"("})");
}

struct Limits {
  double messages_per_second = 0;
  double burst = 1;
  double octets_per_second = 0;
  gateway::OnExceed on_exceed = gateway::OnExceed::Close;
  double shared_per_second = 0;  // of the subject on all instances, with a burst of 100
  bool rooms = false;            // everybody's, and no backend; else opaque messages, and one
  gateway::LifetimeRules lifetime = {};
  std::string early = {};  // what the client sent before its 101
  bool logged_in = false;  // by a login session of the application, as an editor; else by a token
  bool once = false;       // a token serves once
  std::string_view claims = {};  // of that token; empty: none
};

// A session between two fake peers, and its worker.
class Fixture final : public gateway::Session::Host {
 public:
  explicit Fixture(Limits limits = {}, std::optional<auth::WallTime> good_until = {}) {
    exchange_.add_worker(rooms_);
    revoked.set_loaded(true);
    policy_->routes.resize(1);
    auto& route = policy_->routes[0];
    route.path = *gateway::PathPattern::parse("/chat");
    route.connection_limits.messages = {limits.messages_per_second, limits.burst};
    route.connection_limits.octets = {limits.octets_per_second, limits.octets_per_second};
    route.connection_limits.on_exceed = limits.on_exceed;
    route.key = "0123456789abcdef";
    route.id = 5;
    route.subject_limits.messages = {limits.shared_per_second, 100};
    route.subject_limits.scope = gateway::Scope::Global;
    ledger_.set_sharing(true);
    route.lifetime = limits.lifetime;
    route.authenticate = {users(secret, limits.once)};
    depositing_.join(deposits_);
    settings_.client.reader.message_octets_max = 1'000;
    settings_.client.ping_interval = settings_.backend.ping_interval = 1'000h;
    if (limits.rooms) {
      const auto everyone = gateway::everyone();
      route.rooms.emplace().rules = {{*auth::RoomPattern::parse("*"), everyone, everyone}};
      settings_.client.whole_messages = true;
    }

    gateway::AdmittedClient admitted;
    served_policy_->policy = policy_;
    served_policy_->routes.push_back({settings_, std::make_shared<gateway::RouteCounters>()});
    served_ = served_policy_;
    admitted.served = served_;
    admitted.asked = asked_.keep({"chat.example", "/chat", std::nullopt, false});
    admitted.identity.id.fill('7');
    admitted.identity.route = &route;
    admitted.identity.subject = "alice";
    if (limits.logged_in) {
      route.authenticate = {web(), users()};
      route.allow.claim = "role";
      route.allow.values = {"editor", "viewer"};
      route.allow.kind = auth::Condition::Kind::In;
      admitted.session_id = "id-1";
      admitted.principal.authenticator = "web";
    } else {
      admitted.principal.authenticator = "users";
      admitted.principal.issuer = "https://id.example/";
    }
    if (!limits.claims.empty()) admitted.principal.claims = claims(limits.claims);
    admitted.principal.good_until = good_until;
    admitted.principal.key = auth::fingerprint_of(secret);
    admitted.holdings.connection = ledger_.accept();
    admitted.client = std::make_unique<FakeTransport>(client);
    if (!limits.rooms) admitted.backend = std::make_unique<FakeTransport>(backend);
    gateway::Session::Host& host = *this;
    session_ = std::make_unique<gateway::Session>(host, std::move(admitted));
    session_->start(limits.early, {});
  }

  void pass(proxy::Duration time, proxy::Duration wall_step = {}) {
    auto now = timers_.now();
    timers_.advance_to({now.monotonic + time, now.wall + time + wall_step});
  }

  // What the subject is granted on its oldest question.
  void grant(std::int64_t permits, std::chrono::milliseconds wait = 0ms) {
    REQUIRE_FALSE(permits_.asked.empty());
    const auto wanted = permits_.asked.front();
    permits_.asked.erase(permits_.asked.begin());
    ledger_.settle(ledger_.shared_subject_name(wanted.route, wanted.subject()), wanted.limit,
                   gateway::Lease::Answer{permits, wait}, timers_.now().monotonic);
  }
  const std::vector<gateway::PermitsWanted>& asked() const { return permits_.asked; }

  // Of the oldest question whether a token has been used, the name of the token; then its answer.
  std::string used() const {
    REQUIRE_FALSE(deposits_.asked.empty());
    return deposits_.asked.front().name;
  }
  void answer_use(gateway::DepositAnswer::Outcome outcome) {
    REQUIRE_FALSE(deposits_.asked.empty());
    const auto id = deposits_.asked.front().id;
    deposits_.asked.erase(deposits_.asked.begin());
    depositing_.post({id, outcome});
    pass(0ms);
  }
  std::size_t uses_asked() const { return deposits_.asked.size(); }
  void end_session() { session_.reset(); }
  // Another policy is in force, with what `change` makes of the one so far.
  template <typename Change>
  void reload(Change change) {
    policy_ = std::make_shared<gateway::Policy>(*policy_);
    change(*policy_);
    auto served = std::make_shared<gateway::ServedPolicy>(*served_policy_);
    served->policy = policy_;
    served_ = std::move(served);
    rule_of_room_.forget();
  }
  template <typename Change>
  void reload_route(Change change) {
    reload([&](gateway::Policy& policy) { change(policy.routes[0]); });
  }

  void publish(std::string_view room, std::string_view text) {
    CHECK(rooms_.publish("room:" + std::string(room), proxy::share(unmasked(0x81, text))));
  }

  gateway::RouteCounters& route() { return *served_policy_->routes[0].counters; }

  proxy::Timers& timers() override { return timers_; }
  proxy::FlushList& flushes() override { return flushes_; }
  gateway::Audit& audit() override { return audit_; }
  gateway::RefusalSampler& refusals() override { return refusals_; }
  gateway::WorkerCounters& counters() override { return counters_; }
  const gateway::Revocations& revocations() override { return revoked; }
  gateway::KeyRing& key_ring() override { return key_ring_; }
  gateway::SessionStore& session_store(const gateway::SessionSettings&) override {
    return sessions;
  }
  gateway::Depositing& depositing() override { return depositing_; }
  const gateway::RoomServices& room_services() override { return room_services_; }
  const std::shared_ptr<const gateway::ServedPolicy>& served() override { return served_; }
  gateway::AdoptionTally& adoptions() override { return adopted; }
  void retire(gateway::Session&) override { retired = true; }

  gateway::Session& session() { return *session_; }
  std::uint32_t open() const { return ledger_.open(); }
  std::size_t members(std::string_view room_key) const { return rooms_.members(room_key); }

  std::vector<std::string> messages_at_backend() {
    std::vector<std::string> messages;
    for (auto& frame : read_frames(backend->read())) {
      if ((frame.first & 0x0F) <= 2) messages.push_back(frame.payload);
    }
    return messages;
  }

  // All texts that the client was told since.
  std::vector<std::string> told() {
    flushes_.flush();
    std::vector<std::string> texts;
    for (auto& frame : read_frames(client->read())) {
      if (frame.first == 0x81) texts.push_back(frame.payload);
    }
    return texts;
  }

  // Of the last frame that the client got; 0: that was no Close.
  int code_at_client() {
    auto frames = read_frames(client->read());
    if (frames.empty() || frames.back().first != 0x88) return 0;
    auto octet = [&](std::size_t i) {
      return static_cast<std::uint8_t>(frames.back().payload.at(i));
    };
    return octet(0) << 8 | octet(1);
  }

  // The lines of an event; ends the log.
  std::vector<std::string> lines(std::string_view event) {
    std::vector<std::string> found;
    for (auto& line : captured_.lines()) {
      if (line.contains("\"event\":\"" + std::string(event))) found.push_back(line);
    }
    return found;
  }

  std::shared_ptr<Peer> client = std::make_shared<Peer>();
  std::shared_ptr<Peer> backend = std::make_shared<Peer>();
  bool retired = false;
  ScriptedSessionStore sessions;
  gateway::AdoptionTally adopted;
  gateway::Revocations revoked;  // loaded, as where there is no Redis

 private:
  CapturedLog captured_;
  gateway::Audit audit_{captured_.log()};
  gateway::RefusalSampler refusals_{audit_};
  gateway::WorkerCounters counters_;
  gateway::Ledger ledger_{10};
  gateway::Exchange exchange_;
  gateway::Rooms rooms_{0, exchange_};
  gateway::EnvelopeReader reader_;
  auth::RuleOfRoom rule_of_room_;
  struct Permits final : gateway::PermitsPort {
    std::vector<gateway::PermitsWanted> asked;
    bool post(gateway::PermitsWanted wanted) override {
      asked.push_back(std::move(wanted));
      return true;
    }
  } permits_;
  struct Deposits final : gateway::DepositsPort {
    std::vector<gateway::MarkToken> asked;
    bool post(gateway::ToDeposits letter) override {
      asked.push_back(std::get<gateway::MarkToken>(letter));
      return true;
    }
  } deposits_;
  gateway::Depositing depositing_{0};
  const gateway::RoomServices room_services_{rooms_, reader_, ledger_, rule_of_room_, &permits_};
  proxy::FlushList flushes_;
  proxy::Timers timers_{proxy::Instant{{}, begin}};
  gateway::KeyRing key_ring_{timers_, [](const auto&) {}};
  proxy::RelaySettings settings_;
  std::shared_ptr<gateway::Policy> policy_ = std::make_shared<gateway::Policy>();
  std::shared_ptr<gateway::ServedPolicy> served_policy_ = std::make_shared<gateway::ServedPolicy>();
  std::shared_ptr<const gateway::ServedPolicy> served_;
  gateway::AskedTable asked_;
  std::unique_ptr<gateway::Session> session_;
};

auth::WallTime after(std::chrono::milliseconds time) {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(begin) + time;
}

}  // namespace

TEST_SUITE("the token's end") {
  TEST_CASE("an open connection closes with 4401 when its token ends, its backend with 1001") {
    Fixture f({}, after(10s));
    f.pass(9'999ms);
    f.client->send(masked(0x81, "in time"));
    CHECK(f.messages_at_backend() == std::vector{"in time"s});
    f.pass(1ms);
    f.client->send(masked(0x81, "too late"));
    CHECK(f.code_at_client() == 4401);
    CHECK(f.messages_at_backend().empty());
    CHECK(f.lines("connection_closed").at(0).contains("\"reason\":\"token_ended\""));
  }

  TEST_CASE("a wall clock that is stepped forward ends the token by it") {
    Fixture f({}, after(1h));
    f.pass(1s, 30min);
    f.session().check_time();
    CHECK(f.code_at_client() == 0);
    f.pass(1s, 30min);
    f.session().check_time();
    CHECK(f.code_at_client() == 4401);
  }

  TEST_CASE("a wall clock that is stepped back prolongs nothing") {
    Fixture f({}, after(10s));
    f.pass(5s, -1h);
    CHECK(f.code_at_client() == 0);
    f.pass(5s);
    CHECK(f.code_at_client() == 4401);
  }

  TEST_CASE("a token that ended while the backend was dialled closes at once") {
    Fixture f({}, after(-1s));
    f.pass(0s);
    CHECK(f.code_at_client() == 4401);
  }

  TEST_CASE("without an end nothing ends before max_session") {
    Fixture f({.lifetime = {.warn = 30s, .grace = 0s, .session_max = 24h * 366}});
    f.pass(0s, 24h * 365);
    f.session().check_time();
    CHECK(f.code_at_client() == 0);
  }
}

TEST_SUITE("limits of a subject on all instances") {
  using gateway::OnExceed;
  constexpr auto leave = R"({"type":"leave","room":"r"})";

  TEST_CASE("what cannot be judged yet waits, whatever on_exceed is, and is asked for once") {
    for (const auto on_exceed : {OnExceed::Close, OnExceed::Drop, OnExceed::Throttle}) {
      Fixture f({.on_exceed = on_exceed, .shared_per_second = 100});
      f.client->send(masked(0x81, "1") + masked(0x81, "2"));
      CHECK(f.messages_at_backend().empty());
      CHECK_FALSE(f.client->reading);
      f.pass(gateway::Lease::answer_poll);
      CHECK(f.messages_at_backend().empty());
      REQUIRE(f.asked().size() == 1);
      CHECK(f.asked()[0].key == "0123456789abcdef:alice");
      CHECK(f.asked()[0].subject() == "alice");
      CHECK(f.asked()[0].route == 5);
      CHECK(f.asked()[0].limit.permits_per_second == 100);
      CHECK(f.asked()[0].question.wanted == 10);
      f.grant(10);
      f.pass(gateway::Lease::answer_poll);
      CHECK(f.messages_at_backend() == std::vector{"1"s, "2"s});
      CHECK(f.client->reading);
      CHECK(f.code_at_client() == 0);
      CHECK(f.lines("limit_hit").empty());
    }
  }

  TEST_CASE("what is refused is, as on_exceed says, and was charged to the connection once") {
    Fixture f({.messages_per_second = 1,
               .burst = 3,
               .on_exceed = OnExceed::Drop,
               .shared_per_second = 100});
    f.client->send(masked(0x81, "1"));
    f.grant(1, 40ms);
    f.pass(2ms);
    CHECK(f.messages_at_backend() == std::vector{"1"s});
    f.client->send(masked(0x81, "2"));
    CHECK(f.messages_at_backend().empty());
    CHECK(f.client->reading);
    f.pass(100ms);
    f.client->send(masked(0x81, "3"));  // the connection's last
    f.grant(10);
    f.pass(2ms);
    CHECK(f.messages_at_backend() == std::vector{"3"s});
    auto lines = f.lines("limit_hit");
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].contains("\"limit\":\"subject_messages\""));
  }

  TEST_CASE("throttle waits as long as Redis says") {
    Fixture f({.on_exceed = OnExceed::Throttle, .shared_per_second = 1});
    f.client->send(masked(0x81, "1") + masked(0x81, "2"));
    f.grant(1, 700ms);
    f.pass(2ms);
    CHECK(f.messages_at_backend() == std::vector{"1"s});
    f.pass(698ms);
    CHECK(f.asked().size() == 1);
    f.grant(5);
    f.pass(2ms);
    CHECK(f.messages_at_backend() == std::vector{"2"s});
  }

  TEST_CASE("close closes, and error tells how long") {
    Fixture closing({.on_exceed = OnExceed::Close, .shared_per_second = 100});
    closing.client->send(masked(0x81, "1"));
    closing.grant(0, 300ms);
    closing.pass(2ms);
    CHECK(closing.code_at_client() == 1008);
    Fixture telling({.on_exceed = OnExceed::Error, .shared_per_second = 100, .rooms = true});
    telling.client->send(masked(0x81, leave));
    telling.grant(0, 300ms);
    telling.pass(2ms);
    REQUIRE(telling.told().size() == 1);
    telling.client->send(masked(0x81, leave));
    CHECK(telling.told().at(0).contains("\"retry_after_ms\":298"));
  }

  TEST_CASE("a message in fragments is charged once, and many that come at once one by one") {
    Fixture f({.on_exceed = OnExceed::Close, .shared_per_second = 100});
    f.client->send(masked(0x01, "a") + masked(0x00, "b") + masked(0x80, "c"));
    f.grant(1, 50ms);
    f.pass(2ms);
    CHECK(f.messages_at_backend().size() == 3);
    f.client->send(masked(0x81, "1") + masked(0x81, "2"));
    CHECK(f.code_at_client() == 1008);
    CHECK(f.messages_at_backend().empty());
  }
}

TEST_SUITE("a session's lifetime") {
  TEST_CASE("a client of rooms is warned once, and closed at the end, with grace behind it") {
    Fixture f({.rooms = true, .lifetime = {.warn = 30s, .grace = 5s, .session_max = 24h}},
              after(60s));
    f.pass(29'999ms);
    CHECK(f.told().empty());
    f.pass(1ms);
    CHECK(f.told() == std::vector{R"({"type":"expiring","expires_in":30})"s});
    f.session().check_time();
    f.pass(34'999ms);
    f.session().check_time();
    CHECK(f.told().empty());
    f.pass(1ms);
    CHECK(f.code_at_client() == 4401);
  }

  TEST_CASE("a token that ends sooner than the warning is told of at once") {
    Fixture f({.rooms = true}, after(2s));
    f.pass(0s);
    CHECK(f.told() == std::vector{R"({"type":"expiring","expires_in":2})"s});
  }

  TEST_CASE("where messages are opaque nobody is warned") {
    Fixture f({}, after(2s));
    f.pass(1'999ms);
    CHECK(read_frames(f.client->read()).empty());
    f.pass(1ms);
    CHECK(f.code_at_client() == 4401);
  }

  TEST_CASE("a step of the wall clock brings the warning with the next second") {
    Fixture f({.rooms = true}, after(1h));
    f.pass(1s, 1h - 20s);
    f.session().check_time();
    CHECK(f.told() == std::vector{R"({"type":"expiring","expires_in":19})"s});
    f.pass(1s, 1min);
    f.session().check_time();
    CHECK(f.code_at_client() == 4401);
  }

  TEST_CASE("SECURITY 8: nothing of a client whose token ended before it had its 101 goes on") {
    Fixture late({.early = masked(0x81, "late")}, after(0s));
    CHECK(late.code_at_client() == 4401);
    CHECK(late.messages_at_backend().empty());
    Fixture in_time({.early = masked(0x81, "in time")}, after(1s));
    CHECK(in_time.messages_at_backend() == std::vector{"in time"s});
  }

  TEST_CASE("max_session ends it whatever is refreshed, and the log says which of the two it was") {
    Fixture f({.rooms = true, .lifetime = {.warn = 0s, .grace = 0s, .session_max = 90s}},
              after(60s));
    f.pass(50s);
    f.client->send(refresh(token("alice", 1h)));
    CHECK(f.told().size() == 1);
    f.pass(39'999ms);
    CHECK(f.code_at_client() == 0);
    f.pass(1ms);
    CHECK(f.code_at_client() == 4401);
    CHECK(f.lines("connection_closed").at(0).contains("\"reason\":\"session_ended\""));
  }
}

TEST_SUITE("another token for a session") {
  TEST_CASE("moves the end, and the old one ends nothing") {
    Fixture f({.rooms = true, .lifetime = {.warn = 10s, .grace = 0s, .session_max = 24h}},
              after(60s));
    f.pass(50s);
    CHECK(f.told() == std::vector{R"({"type":"expiring","expires_in":10})"s});
    const auto another = token("alice", 120s);
    f.client->send(refresh(another));
    CHECK(f.told() == std::vector{R"({"type":"refreshed","expires_at":1700000120})"s});
    f.pass(59'999ms);
    CHECK(f.told().empty());
    f.pass(1ms);
    CHECK(f.told() == std::vector{R"({"type":"expiring","expires_in":10})"s});
    f.pass(10s);
    CHECK(f.code_at_client() == 4401);
    auto lines = f.lines("token_refreshed");
    CHECK(lines.size() == 1);
    for (auto& line : f.lines("")) CHECK_FALSE(line.contains(another));
  }

  TEST_CASE("may end sooner than the one before, and then that is the end") {
    Fixture f({.rooms = true}, after(1h));
    f.client->send(refresh(token("alice", 2s)));
    f.pass(0s);
    CHECK(f.told() == std::vector{R"({"type":"refreshed","expires_at":1700000002})"s,
                                  R"({"type":"expiring","expires_in":2})"s});
    f.pass(2s);
    CHECK(f.code_at_client() == 4401);
  }

  TEST_CASE("that does not verify leaves the old end") {
    Fixture f({.rooms = true, .lifetime = {.warn = 0s, .grace = 0s, .session_max = 24h}},
              after(60s));
    auto forged = token("alice", 120s);
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    f.client->send(refresh(forged) + refresh(token("alice", 0s)));
    auto told = f.told();
    REQUIRE(told.size() == 2);
    for (auto& text : told) CHECK(text.contains("invalid_token"));
    CHECK(f.code_at_client() == 0);
    f.pass(60s);
    CHECK(f.code_at_client() == 4401);
    CHECK(f.lines("message_refused").at(0).contains("\"reason\":\"bad_signature\""));
  }

  TEST_CASE("is none as long as it is not known what is revoked") {
    Fixture f({.rooms = true}, after(1h));
    f.revoked.set_loaded(false);
    f.client->send(refresh(token("alice", 100s)));
    auto told = f.told();
    REQUIRE(told.size() == 1);
    CHECK(told[0].contains("invalid_token"));
    CHECK(f.lines("message_refused").at(0).contains("\"reason\":\"revoked\""));
  }

  TEST_CASE("that is revoked leaves the old end, one that was issued since does not") {
    Fixture f({.rooms = true}, after(1h));
    const auto now =
        auth::WallTime(std::chrono::floor<std::chrono::milliseconds>(begin.time_since_epoch()));
    f.revoked.add(auth::revoke_subject("bob", now, now, 24h));
    f.client->send(refresh(token("alice", 100s, -1s)));
    CHECK(f.told() == std::vector{R"({"type":"refreshed","expires_at":1700000100})"s});
    CHECK(f.session().mark().issued_at == now - 1s);
    f.revoked.add(auth::revoke_subject("alice", now, now, 24h));
    f.client->send(refresh(token("alice", 200s, 0s)) + refresh(token("alice", 300s)));
    auto told = f.told();
    REQUIRE(told.size() == 2);
    for (auto& text : told) CHECK(text.contains("invalid_token"));
    CHECK(f.session().mark().issued_at == now - 1s);
    f.pass(1s);
    f.client->send(refresh(token("alice", 400s, 1s)));
    CHECK(f.told() == std::vector{R"({"type":"refreshed","expires_at":1700000400})"s});
    CHECK(f.session().mark().issued_at == now + 1s);
    CHECK(f.lines("message_refused").at(0).contains("\"reason\":\"revoked\""));
  }

  TEST_CASE("as somebody else closes with 4401") {
    Fixture f({.rooms = true}, after(60s));
    f.client->send(refresh(token("bob", 120s)));
    CHECK(f.code_at_client() == 4401);
    CHECK(f.lines("connection_closed").at(0).contains("\"reason\":\"principal_changed\""));
  }

  TEST_CASE("costs a permit like every message") {
    Fixture f({.messages_per_second = 1,
               .burst = 1,
               .on_exceed = gateway::OnExceed::Error,
               .rooms = true},
              after(1h));
    f.client->send(refresh(token("alice", 1h)) + refresh(token("alice", 1h)));
    auto told = f.told();
    REQUIRE(told.size() == 2);
    CHECK(told[0].contains("refreshed"));
    CHECK(told[1].contains("rate_limited"));
  }
}

TEST_SUITE("limits of a connection") {
  TEST_CASE("messages within the burst pass, the next closes with 1008") {
    Fixture f({.messages_per_second = 1, .burst = 2});
    f.client->send(masked(0x81, "1") + masked(0x81, "2"));
    CHECK(f.code_at_client() == 0);
    f.client->send(masked(0x81, "3"));
    CHECK(f.code_at_client() == 1008);
    CHECK(f.messages_at_backend() == std::vector{"1"s, "2"s});
    auto line = f.lines("limit_hit").at(0);
    CHECK(line.contains("\"limit\":\"connection_messages\""));
    CHECK(line.contains("\"action\":\"close\""));
  }

  TEST_CASE("a message in fragments is charged once") {
    Fixture f({.messages_per_second = 1, .burst = 1});
    f.client->send(masked(0x01, "a") + masked(0x00, "b") + masked(0x80, "c"));
    CHECK(f.code_at_client() == 0);
    CHECK(f.messages_at_backend().size() == 3);
  }

  TEST_CASE("drop swallows the whole message, and the next has its own chance") {
    Fixture f({.messages_per_second = 1, .burst = 1, .on_exceed = gateway::OnExceed::Drop});
    f.client->send(masked(0x81, "1") + masked(0x01, "2a") + masked(0x80, "2b"));
    f.pass(1s);
    f.client->send(masked(0x81, "3"));
    CHECK(f.messages_at_backend() == std::vector{"1"s, "3"s});
    CHECK(f.code_at_client() == 0);
  }

  TEST_CASE("throttle stops reading for as long as it takes, and loses nothing") {
    Fixture f({.messages_per_second = 10, .burst = 1, .on_exceed = gateway::OnExceed::Throttle});
    f.client->send(masked(0x81, "1") + masked(0x81, "2") + masked(0x81, "3"));
    CHECK(f.messages_at_backend() == std::vector{"1"s});
    CHECK_FALSE(f.client->reading);
    f.pass(101ms);
    CHECK(f.messages_at_backend() == std::vector{"2"s});
    f.pass(101ms);
    CHECK(f.messages_at_backend() == std::vector{"3"s});
    CHECK(f.client->reading);
  }

  TEST_CASE("octets are charged by the headers, before the payload is there") {
    Fixture f({.octets_per_second = 100});
    auto frame = masked(0x82, std::string(100, 'x'));
    f.client->send(frame);
    CHECK(f.code_at_client() == 0);
    f.client->send(masked(0x82, "x").substr(0, 6));
    CHECK(f.code_at_client() == 1008);
    CHECK(f.lines("limit_hit").at(0).contains("\"limit\":\"connection_octets\""));
  }

  TEST_CASE("a message whose beginning has gone on cannot be dropped: 1008") {
    Fixture f({.octets_per_second = 100, .on_exceed = gateway::OnExceed::Drop});
    f.client->send(masked(0x02, std::string(100, 'x')));
    CHECK(f.code_at_client() == 0);
    f.client->send(masked(0x80, std::string(100, 'y')));
    CHECK(f.code_at_client() == 1008);
  }

  TEST_CASE("a held message has paid for itself, and is not charged again") {
    Fixture f({.messages_per_second = 1,
               .burst = 2,
               .octets_per_second = 100,
               .on_exceed = gateway::OnExceed::Throttle});
    f.client->send(masked(0x82, std::string(100, 'x')) + masked(0x82, std::string(100, 'y')));
    f.pass(1001ms);
    CHECK(f.messages_at_backend().size() == 2);
    f.client->send(masked(0x82, ""));
    CHECK(f.messages_at_backend().size() == 1);
  }

  TEST_CASE("a held message has paid for itself, also with others behind it") {
    Fixture f({.messages_per_second = 1,
               .burst = 3,
               .octets_per_second = 100,
               .on_exceed = gateway::OnExceed::Throttle});
    auto full = masked(0x82, std::string(100, 'x'));
    f.client->send(full + full + masked(0x82, ""));
    f.pass(1001ms);
    CHECK(f.messages_at_backend().size() == 3);
    f.client->send(masked(0x82, ""));
    CHECK(f.messages_at_backend().size() == 1);
  }

  TEST_CASE("messages that come at once are charged as if each had come alone") {
    auto ten = std::string(10, 'x');
    for (bool at_once : {true, false}) {
      Fixture f({.messages_per_second = 1,
                 .burst = 6,
                 .octets_per_second = 45,
                 .on_exceed = gateway::OnExceed::Drop});
      auto send = [&](std::initializer_list<std::string> frames) {
        std::string all;
        for (const auto& frame : frames) all += frame;
        if (at_once) return f.client->send(all);
        for (const auto& frame : frames) f.client->send(frame);
      };
      send({masked(0x82, ten), masked(0x81, ten)});
      CHECK(f.messages_at_backend().size() == 2);
      // Octets for two of these, and for the last, which is shorter.
      send({masked(0x82, ten), masked(0x82, ten), masked(0x82, ten), masked(0x82, "12345")});
      CHECK(f.messages_at_backend() == std::vector{ten, ten, "12345"s});
      f.pass(1s);
      send({masked(0x82, "a"), masked(0x82, "b"), masked(0x82, "c")});
      CHECK(f.messages_at_backend() == std::vector{"a"s});
      CHECK(f.lines("limit_hit").at(0).contains("\"limit\":\"connection_octets\""));
    }
  }

  TEST_CASE("a limit that is hit again and again is one line a second, with a count") {
    Fixture f({.messages_per_second = 0.001, .burst = 1, .on_exceed = gateway::OnExceed::Drop});
    for (int i = 0; i < 101; ++i) f.client->send(masked(0x81, "x"));
    f.pass(1s);
    f.client->send(masked(0x81, "x"));
    f.client->vanish();
    auto lines = f.lines("limit_hit");
    CHECK(lines.size() == 2);
    CHECK(lines.at(1).contains("\"suppressed\":99"));
  }
}

TEST_SUITE("a refresh with a token that serves once") {
  using Outcome = gateway::DepositAnswer::Outcome;
  const auto more = R"({"type":"join","room":"r"})"s;
  const auto joined_more = R"({"type":"joined","room":"r"})"s;
  const auto refreshed = R"({"type":"refreshed","expires_at":1700003600})"s;

  TEST_CASE("waits for the answer, as what comes behind it does, and is asked for once") {
    Fixture f({.rooms = true, .once = true});
    f.client->send(refresh(token("alice", 1h, 0s, "t1")) + masked(0x81, more));
    f.pass(1s);
    CHECK(f.told().empty());
    CHECK(f.uses_asked() == 1);
    CHECK(f.used() == auth::name_of_token("users", "https://id.example/", "t1"));
    f.answer_use(Outcome::Done);
    CHECK(f.told() == std::vector{refreshed, joined_more});
    CHECK(f.session().good_until() == after(1h));
    CHECK(f.uses_asked() == 0);
  }

  TEST_CASE("that has been used changes nothing; nor does one of which nobody knows") {
    for (const auto outcome : {Outcome::NotDone, Outcome::Away}) {
      Fixture f({.rooms = true, .once = true}, after(100s));
      f.client->send(refresh(token("alice", 1h, 0s, "t1")));
      f.answer_use(outcome);
      const auto told = f.told();
      REQUIRE(told.size() == 1);
      CHECK(told[0].contains(outcome == Outcome::NotDone ? "invalid_token" : "unavailable"));
      CHECK(f.session().good_until() == after(100s));
      // Another time is another question.
      f.client->send(refresh(token("alice", 1h, 0s, "t1")));
      f.answer_use(Outcome::Done);
      CHECK(f.told() == std::vector{refreshed});
    }
  }

  TEST_CASE("is judged again when the answer comes: what has ended meanwhile is no token") {
    Fixture f({.rooms = true, .once = true});
    f.client->send(refresh(token("alice", 10s, 0s, "t1")));
    f.pass(10s);
    f.answer_use(Outcome::Done);
    CHECK(f.told().at(0).contains("invalid_token"));
    // The answer was that one's: another token is asked for by itself.
    f.client->send(refresh(token("alice", 1h, 0s, "t2")));
    CHECK(f.told().empty());
    CHECK(f.used() == auth::name_of_token("users", "https://id.example/", "t2"));
    f.answer_use(Outcome::NotDone);
    CHECK(f.told().at(0).contains("invalid_token"));
  }

  TEST_CASE("has no answer where its client is gone before") {
    Fixture f({.rooms = true, .once = true});
    f.client->send(refresh(token("alice", 1h, 0s, "t1")));
    f.end_session();
    f.answer_use(Outcome::Done);
  }
}

TEST_SUITE("limits where messages are rooms") {
  const std::string join = R"({"type":"join","room":"r","id":1})";
  const std::string joined = R"({"type":"joined","room":"r","id":1})";

  bool is_rate_limited(std::string_view text) {
    return text.starts_with(R"({"type":"error","code":"rate_limited")") &&
           text.contains("\"retry_after_ms\":") && !text.contains("\"room\"") &&
           !text.contains("\"id\"");
  }

  TEST_CASE("a message refused at its header is not read: its error names neither room nor id") {
    Fixture f({.messages_per_second = 1,
               .burst = 1,
               .on_exceed = gateway::OnExceed::Error,
               .rooms = true});
    f.client->send(masked(0x81, join) + masked(0x81, join));
    auto told = f.told();
    REQUIRE(told.size() == 2);
    CHECK(told[0] == joined);
    CHECK(is_rate_limited(told[1]));
    CHECK(f.lines("limit_hit").at(0).contains("\"action\":\"error\""));
  }

  TEST_CASE("what is denied has been charged like anything else") {
    Fixture f({.messages_per_second = 1,
               .burst = 2,
               .on_exceed = gateway::OnExceed::Error,
               .rooms = true});
    f.client->send(masked(0x81, "rubbish") + masked(0x82, join) + masked(0x81, join));
    auto told = f.told();
    REQUIRE(told.size() == 3);
    CHECK(told[0].contains("bad_message"));
    CHECK(told[1].contains("bad_message"));
    CHECK(is_rate_limited(told[2]));
  }

  TEST_CASE("error and drop swallow the whole message, at whichever fragment it is too much") {
    for (auto on_exceed : {gateway::OnExceed::Error, gateway::OnExceed::Drop}) {
      Fixture f({.octets_per_second = 50, .on_exceed = on_exceed, .rooms = true});
      f.client->send(masked(0x01, join) + masked(0x00, std::string(40, ' ')) +
                     masked(0x80, std::string(5, ' ')));
      auto told = f.told();
      CHECK(told.size() == (on_exceed == gateway::OnExceed::Error ? 1 : 0));
      for (auto& text : told) CHECK(is_rate_limited(text));
      f.pass(1s);
      f.client->send(masked(0x81, join));
      CHECK(f.told() == std::vector{joined});
    }
  }

  TEST_CASE("throttle loses nothing, in whatever frames it comes") {
    Fixture f({.messages_per_second = 10,
               .burst = 1,
               .on_exceed = gateway::OnExceed::Throttle,
               .rooms = true});
    f.client->send(masked(0x81, join) + masked(0x01, join.substr(0, 9)) +
                   masked(0x80, join.substr(9)) + masked(0x81, join));
    CHECK(f.told() == std::vector{joined});
    CHECK_FALSE(f.client->reading);
    f.pass(101ms);
    CHECK(f.told() == std::vector{joined});
    f.pass(101ms);
    CHECK(f.told() == std::vector{joined});
    CHECK(f.client->reading);
  }

  TEST_CASE("a client that goes is in no room any more") {
    Fixture f({.rooms = true});
    f.client->send(masked(0x81, join));
    CHECK(f.members("room:r") == 1);
    f.client->send(masked(0x88, close_body(1000)));
    CHECK(f.members("room:r") == 0);
    f.client->vanish();
    CHECK(f.retired);
  }
}

TEST_SUITE("a session's end") {
  TEST_CASE("draining is 1012 with the reason given, once") {
    Fixture f;
    f.session().drain("retry_after_ms=1234");
    auto frames = read_frames(f.client->read());
    CHECK(frames.at(0).payload == close_body(1012, "retry_after_ms=1234"));
    f.session().drain("retry_after_ms=1");
    CHECK(f.client->received.empty());
    CHECK(f.lines("connection_closed").size() == 1);
  }

  TEST_CASE("revoked is 4410, once, and it is open no more from then on") {
    Fixture f({.rooms = true});
    f.client->send(masked(0x81, R"({"type":"join","room":"r"})"));
    f.told();
    CHECK(f.session().open());
    CHECK(f.session().rooms() == 1);
    CHECK(f.session().member_of("room:r"));
    CHECK_FALSE(f.session().member_of("room:s"));
    f.session().close(gateway::Goodbye::Revoked);
    CHECK(f.code_at_client() == 4410);
    CHECK_FALSE(f.session().open());
    CHECK(f.session().rooms() == 0);
    CHECK_FALSE(f.session().member_of("room:r"));
    f.session().close(gateway::Goodbye::Revoked);
    CHECK(f.client->received.empty());
    auto line = f.lines("connection_closed").at(0);
    CHECK_MESSAGE(line.contains(R"("code":4410,"by":"gateway","reason":"revoked")"), line);
  }

  TEST_CASE("its places are free when its client is gone, not when its backend is") {
    Fixture f;
    CHECK(f.open() == 1);
    f.client->vanish();
    CHECK(f.open() == 0);
    CHECK_FALSE(f.retired);
    f.backend->vanish();
    CHECK(f.retired);
  }

  TEST_CASE("the last line says who closed, with which code, and what passed") {
    Fixture f;
    f.client->send(masked(0x81, "Hello"));
    f.backend->send(unmasked(0x82, "xy"));
    f.pass(1500ms);
    f.backend->send(unmasked(0x88, close_body(4000, "done")));
    auto line = f.lines("connection_closed").at(0);
    for (const auto* part :
         {"\"connection\":\"7777777777777777\"", "\"route\":\"/chat\"", "\"subject\":\"alice\"",
          "\"code\":4000", "\"by\":\"backend\"", "\"reason\":\"backend_closed\"",
          "\"client_messages\":1", "\"client_octets\":5", "\"backend_messages\":1",
          "\"backend_octets\":2", "\"duration_ms\":1500"}) {
      CHECK_MESSAGE(line.contains(part), line);
    }
    CHECK_FALSE(line.contains("done"));
  }
}

TEST_SUITE("what a session counts") {
  using gateway::AuditedLimit;
  using gateway::ClosedBy;
  using gateway::LimitAction;

  std::uint64_t closes(Fixture & f, ClosedBy by, std::string_view code) {
    const auto& words = f.counters().closes[static_cast<std::size_t>(by)];
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words.word(i) == code) return words.value(i);
    }
    return 0;
  }
  std::uint64_t hits(Fixture & f, AuditedLimit limit, LimitAction action) {
    return f.counters()
        .limits[static_cast<std::size_t>(limit)][static_cast<std::size_t>(action)]
        .value();
  }

  TEST_CASE("it is open on its route until its client is gone, whatever its backend does") {
    Fixture f;
    const auto& route = f.route();
    CHECK(route.opened.value() == 1);
    CHECK(route.open.value() == 1);
    f.backend->send(unmasked(0x88, close_body(4000)));
    CHECK(closes(f, ClosedBy::Backend, "4xxx") == 1);
    CHECK(route.open.value() == 1);
    f.client->vanish();
    CHECK(route.open.value() == 0);
    f.backend->vanish();
    CHECK(route.opened.value() == 1);
  }

  TEST_CASE("a close is counted once, by who ended it first") {
    Fixture f;
    f.session().drain("retry_after_ms=1");
    f.client->send(masked(0x88, close_body(1000)));
    f.client->vanish();
    CHECK(closes(f, ClosedBy::Gateway, "1012") == 1);
    CHECK(closes(f, ClosedBy::Client, "1000") == 0);
    CHECK(closes(f, ClosedBy::Client, "none") == 0);
  }

  TEST_CASE("every hit of a limit counts, though one line a second is written") {
    Fixture f({.messages_per_second = 0.001, .burst = 1, .on_exceed = gateway::OnExceed::Drop});
    for (int i = 0; i < 101; ++i) f.client->send(masked(0x81, "x"));
    CHECK(hits(f, AuditedLimit::ConnectionMessages, LimitAction::Drop) == 100);
    CHECK(hits(f, AuditedLimit::ConnectionMessages, LimitAction::Close) == 0);
  }

  TEST_CASE("what is refused counts by its reason") {
    Fixture f({.rooms = true});
    f.client->send(masked(0x81, "rubbish") + masked(0x82, "more of it"));
    const auto& refused = f.counters().messages_refused;
    for (std::size_t i = 0; i < refused.size(); ++i) {
      CHECK(refused.value(i) == (refused.word(i) == "bad_message" ? 2 : 0));
    }
  }

  TEST_CASE("a client that does not read counts as slow, and so does a backend") {
    for (bool client : {true, false}) {
      Fixture f;
      auto& slow = client ? *f.client : *f.backend;
      slow.takes_octets = false;
      client ? f.backend->send(unmasked(0x81, "x")) : f.client->send(masked(0x81, "x"));
      for (int i = 0; i < 5; ++i) f.pass(10s);
      CHECK(f.counters().slow_clients.value() == (client ? 1 : 0));
      CHECK(f.counters().slow_backends.value() == (client ? 0 : 1));
      CHECK(closes(f, ClosedBy::Gateway, "1013") == 1);
    }
  }
}

TEST_SUITE("A session of who is logged in to the application") {
  std::string record(std::string_view role, std::string_view end = "null") {
    return R"({"cookie":{"expires":)" + std::string(end) + R"(},"user":"alice","role":")" +
           std::string(role) + R"("})";
  }

  TEST_CASE("it is looked at again, and closes when the login is over") {
    Fixture f({.logged_in = true});
    f.pass(30s);
    REQUIRE(f.sessions.asker);
    f.sessions.find(record("editor"));
    CHECK(f.session().open());
    f.pass(30s);
    f.sessions.miss();
    CHECK_FALSE(f.session().open());
    CHECK(f.code_at_client() == 4401);
    f.pass(1h);
    CHECK(f.sessions.asked.size() == 2);
    const auto closed = f.lines("connection_closed");
    REQUIRE(closed.size() == 1);
    CHECK(closed[0].contains(R"("reason":"logged_out")"));
  }

  TEST_CASE("claims that it may have it goes on with, others close it") {
    Fixture f({.logged_in = true});
    f.pass(30s);
    f.sessions.find(record("viewer"));
    CHECK(f.session().open());
    f.pass(30s);
    f.sessions.find(record("nobody"));
    CHECK(f.code_at_client() == 4403);
    const auto changed = f.lines("session_changed");
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].contains(R"("authenticator":"web")"));
  }

  TEST_CASE("an end that it gets is kept, and one that moves is moved") {
    Fixture f({.logged_in = true});
    f.pass(30s);
    f.sessions.find(record("editor", R"("2023-11-14T22:14:20.000Z")"));  // 60 s after the begin
    CHECK(f.session().good_until() == begin + 60s);
    f.pass(29s);
    REQUIRE(f.sessions.asker);
    f.sessions.find(record("editor", R"("2023-11-14T22:14:30.000Z")"));
    f.pass(5s);
    CHECK(f.session().open());
    f.pass(6s);
    CHECK(f.code_at_client() == 4401);
  }

  TEST_CASE("whoever leaves asks no more") {
    Fixture f({.logged_in = true});
    f.pass(30s);
    REQUIRE(f.sessions.asker);
    f.client->vanish();
    CHECK_FALSE(f.sessions.asker);
    f.pass(1h);
    CHECK(f.sessions.asked.size() == 1);
  }

  TEST_CASE("no token takes its place, also not one without an issuer") {
    Fixture f({.rooms = true, .logged_in = true});
    f.client->send(refresh(token("alice", 600s)));
    CHECK(f.told() == std::vector<std::string>{
                          R"({"type":"error","code":"invalid_token","message":"Invalid token"})"});
    CHECK(f.session().open());
  }
}

TEST_SUITE("CONTRACT 5: a session and another policy") {
  TEST_CASE("the next message is judged by it") {
    Fixture f;
    f.client->send(masked(0x81, "a") + masked(0x81, "b"));
    f.reload_route([](gateway::Route& route) {
      route.connection_limits.messages = {0.001, 1};
      route.connection_limits.on_exceed = gateway::OnExceed::Close;
    });
    f.client->send(masked(0x81, "c") + masked(0x81, "d"));
    CHECK(f.messages_at_backend() == std::vector<std::string>{"a", "b", "c"});
    CHECK(f.code_at_client() == 1008);
    CHECK(f.adopted.asked == 1);
    CHECK(f.adopted.closed == 0);
  }

  TEST_CASE("who has no place in it is closed before anything passes, by what comes first") {
    const auto gone = [](gateway::Policy& policy) { policy.routes.clear(); };
    for (const bool asked : {false, true}) {
      Fixture f;
      f.reload(gone);
      asked ? f.session().follow_policy() : f.client->send(masked(0x81, "a") + masked(0x81, "b"));
      CHECK(f.messages_at_backend().empty());
      CHECK(f.code_at_client() == 4403);
      CHECK(f.adopted.asked == 1);
      CHECK(f.adopted.closed == 1);
      CHECK(f.lines("connection_closed").at(0).contains(R"("reason":"route_gone")"));
    }
  }

  TEST_CASE("nor does it hear its backend any more") {
    Fixture f;
    f.backend->send(unmasked(0x81, "before"));
    CHECK(f.told() == std::vector<std::string>{"before"});
    f.reload([](gateway::Policy& policy) { policy.routes.clear(); });
    f.backend->send(unmasked(0x81, "a") + unmasked(0x81, "b"));
    CHECK(f.told().empty());
    f.session().follow_policy();
    CHECK(f.code_at_client() == 4403);
  }

  TEST_CASE("who has one stays, and is asked once") {
    Fixture f;
    f.reload_route([](gateway::Route& route) { route.authenticate = {users()}; });
    f.session().follow_policy();
    f.session().follow_policy();
    f.client->send(masked(0x81, "a"));
    f.backend->send(unmasked(0x81, "b"));
    CHECK(f.messages_at_backend() == std::vector<std::string>{"a"});
    CHECK(f.told() == std::vector<std::string>{"b"});
    CHECK(f.adopted.asked == 1);
    CHECK(f.route().open.value() == 1);
  }

  TEST_CASE("whose key is gone is closed with 4401") {
    Fixture f;
    f.reload_route([](gateway::Route& route) {
      route.authenticate = {users("another secret, and 32 octets too")};
    });
    f.session().follow_policy();
    CHECK(f.code_at_client() == 4401);
  }

  TEST_CASE("a token ends by the new policy's grace, and a session by its length") {
    Fixture f({}, after(10s));
    f.reload_route([](gateway::Route& route) { route.lifetime.grace = 5s; });
    f.session().follow_policy();
    f.pass(12s);
    CHECK(f.session().open());
    f.reload_route([](gateway::Route& route) { route.lifetime.session_max = 13s; });
    f.session().follow_policy();
    f.pass(1s);
    CHECK(f.code_at_client() == 4401);
    CHECK(f.lines("connection_closed").at(0).contains(R"("reason":"session_ended")"));
  }

  TEST_CASE("who loses a room hears nothing of it any more, and is told so when it is asked") {
    Fixture f({.rooms = true});
    f.client->send(masked(0x81, R"({"type":"join","room":"a"})") +
                   masked(0x81, R"({"type":"join","room":"b"})"));
    CHECK(f.told().size() == 2);
    f.reload_route([](gateway::Route& route) {
      route.rooms->rules = {
          {*auth::RoomPattern::parse("b"), gateway::everyone(), gateway::everyone()}};
    });
    f.publish("a", "not any more");
    f.publish("b", "still");
    CHECK(f.told() == std::vector<std::string>{"still"});
    f.session().follow_policy();
    CHECK(f.told() == std::vector<std::string>{R"({"type":"left","room":"a","reason":"policy"})"});
    CHECK(f.members("room:a") == 0);
    CHECK(f.members("room:b") == 1);
    CHECK(f.adopted.rooms_left == 1);
  }

  TEST_CASE("its claims are asked, also those that no policy has looked at before") {
    Fixture f({.rooms = true, .claims = R"({"plan":"pro","team":"red"})"});
    f.client->send(masked(0x81, R"({"type":"join","room":"a"})"));
    f.told();
    const auto only = [&](std::string claim, std::string value) {
      auth::Condition condition;
      condition.kind = auth::Condition::Kind::Equals;
      condition.claim = std::move(claim);
      condition.values = {auth::Scalar(std::move(value))};
      f.reload_route([&](gateway::Route& route) {
        route.rooms->rules = {{*auth::RoomPattern::parse("*"), condition, condition}};
      });
      f.publish("a", "to members");
      f.session().follow_policy();
      return f.told();
    };
    const std::vector<std::string> heard{"to members"};
    CHECK(only("plan", "pro") == heard);  // read from what was kept of the token
    CHECK(only("team", "red") == heard);  // known from the time before
    CHECK(only("sub", "alice") == heard);
    CHECK(only("team", "red") == heard);
    CHECK(only("team", "blue") ==
          std::vector<std::string>{R"({"type":"left","room":"a","reason":"policy"})"});
    CHECK(f.adopted.rooms_left == 1);
  }

  TEST_CASE("its message in a room that it loses is refused, and it is told of that first") {
    Fixture f({.rooms = true});
    f.client->send(masked(0x81, R"({"type":"join","room":"a"})"));
    f.told();
    f.reload_route([](gateway::Route& route) { route.rooms->rules = {}; });
    f.client->send(masked(0x81, R"({"type":"message","room":"a","payload":1})"));
    const auto told = f.told();
    REQUIRE(told.size() == 2);
    CHECK(told[0] == R"({"type":"left","room":"a","reason":"policy"})");
    CHECK(told[1].contains("access_denied"));
  }
}

}  // namespace tests
