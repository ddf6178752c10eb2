#include "gateway/conversation.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/exchange.h"
#include "gateway/refusal.h"
#include "proxy/octets.h"
#include "tests/auth/json_text.h"
#include "tests/fakes/frames.h"

using namespace std::chrono_literals;
using namespace std::string_literals;

namespace tests {

namespace {

using gateway::AuditedLimit;
using gateway::Deliver;
using gateway::OnExceed;
using proxy::Verdict;
using Kind = proxy::Verdict::Kind;
using Strings = std::vector<std::string>;

auth::Condition condition(auth::Condition::Kind kind) {
  auth::Condition made;
  made.kind = kind;
  return made;
}
const auto everyone = condition(auth::Condition::Kind::Everyone);
const auto nobody = condition(auth::Condition::Kind::Nobody);

auth::RoomRule rule(std::string_view match, auth::Condition join, auth::Condition publish) {
  return {*auth::RoomPattern::parse(match), std::move(join), std::move(publish)};
}

// A route: everyone in "public-*", joining alone in "read-*", saying alone in "write-*".
gateway::Route make_route() {
  gateway::Route route;
  route.path = *gateway::PathPattern::parse("/chat");
  route.connection_limits.on_exceed = OnExceed::Error;
  auto& rooms = route.rooms.emplace();
  rooms.rules = {rule("public-*", everyone, everyone), rule("read-*", everyone, nobody),
                 rule("write-*", nobody, everyone)};
  return route;
}

// An exchange whose answers come when the test lets them.
struct LateExchange final : gateway::ExchangePort {
  explicit LateExchange(gateway::Exchange& exchange) : exchange(exchange) {}

  bool post(gateway::ToExchange letter) override {
    if (full && std::holds_alternative<gateway::Publish>(letter)) return false;
    if (late) return letters.push_back(std::move(letter)), true;
    return exchange.post(std::move(letter));
  }
  void arrive() {
    for (auto& letter : std::exchange(letters, {})) exchange.post(std::move(letter));
  }

  // The joins that wait are refused, as where there is no way to the other instances.
  void refuse(gateway::Rooms& rooms) {
    for (auto& letter : std::exchange(letters, {})) {
      const auto* join = std::get_if<gateway::Subscribe>(&letter);
      if (join) rooms.post(gateway::Subscribed{join->room, {}, false});
    }
  }

  gateway::Exchange& exchange;
  bool late = false;
  bool full = false;  // takes no publication
  std::vector<gateway::ToExchange> letters;
};

// What the clients of one worker share.
struct House {
  gateway::Exchange exchange;
  LateExchange port{exchange};
  gateway::Rooms rooms{0, port, true};
  gateway::EnvelopeReader reader;
  gateway::Ledger ledger{1000};
  auth::RuleOfRoom rule_of_room;
  const gateway::RoomServices services{rooms, reader, ledger, rule_of_room};

  House() { exchange.add_worker(rooms); }
};

class Client final : public gateway::Conversation::Host {
 public:
  Client(House& house, const gateway::Route& route, std::string subject, std::string path = "/chat",
         std::string_view claims_json = "{}")
      : route_(route),
        subject_(subject),
        path_(std::move(path)),
        conversation(*this, house.services, route, principal(subject, claims_json), path_) {}

  Verdict say(std::string_view text) { return say(proxy::Opcode::Text, text); }
  Verdict say(proxy::Opcode opcode, std::string_view text) {
    auto padded = std::string(text) + std::string(proxy::message_padding_octets, '#');
    return conversation.from_client({opcode, std::string_view(padded).substr(0, text.size())});
  }
  std::size_t adopt(const gateway::Route& route, std::string_view claims_json = "{}") {
    gateway::RouteCaptures captures;
    route.path.matches(path_, captures);
    return conversation.adopt(route, principal(subject_, claims_json), std::move(captures));
  }
  Verdict hear(std::string_view text) {
    auto padded = std::string(text) + std::string(proxy::message_padding_octets, '#');
    return conversation.from_backend(
        {proxy::Opcode::Text, std::string_view(padded).substr(0, text.size())});
  }

  // All that it was told since.
  Strings told() {
    Strings texts;
    for (auto& frame : read_frames(std::exchange(octets_, {}))) {
      CHECK(frame.first == 0x81);
      CHECK_FALSE(frame.masked);
      texts.push_back(frame.payload);
    }
    return texts;
  }

  proxy::MonotonicTime time{};
  int resumed = 0;
  bool starved = false;
  std::vector<std::pair<AuditedLimit, proxy::Duration>> exceeded;
  Strings refusals;
  Strings joins;  // what came of them
  Strings told_backend;
  Strings tokens;                         // that were to take the place of its own
  std::optional<gateway::Denial> denial;  // of the next of them
  auth::Principal next_principal;         // or whose it is
  std::vector<std::pair<std::optional<auth::WallTime>, std::size_t>> renewed;
  std::optional<gateway::DepositAnswer::Outcome> use;  // of a token that serves once
  unsigned uses_asked = 0;

  static auth::Principal principal(std::string subject, std::string_view claims_json) {
    auth::Principal made;
    made.subject = std::move(subject);
    made.claims = claims(claims_json);
    return made;
  }

 private:
  proxy::MonotonicTime now() override { return time; }
  std::string_view subject() override { return subject_; }
  void tell(proxy::SharedOctets frame) override { octets_ += *frame; }
  void deliver(std::string_view, const proxy::SharedOctets& frame) override { octets_ += *frame; }
  void tell_backend(proxy::SharedOctets frame) override {
    for (auto& each : read_frames(*frame)) {
      CHECK(each.masked);
      told_backend.push_back(each.payload);
    }
  }
  std::expected<auth::Principal, gateway::Denied> authenticate_again(
      std::string_view token) override {
    tokens.push_back(std::string(token));
    gateway::Denied denied;
    denied.denial = denial.value_or(denied.denial);
    if (denial) return std::unexpected(denied);
    return next_principal;
  }
  std::optional<gateway::DepositAnswer::Outcome> use_token(const auth::Principal&) override {
    ++uses_asked;
    return use;
  }
  void renew(const auth::Principal& principal, std::size_t rooms_lost) override {
    renewed.push_back({principal.good_until, rooms_lost});
  }
  void resume() override { ++resumed; }
  void starve() override { starved = true; }
  Verdict exceed(AuditedLimit limit, proxy::Duration wait) override {
    exceeded.push_back({limit, wait});
    switch (route_.connection_limits.on_exceed) {
      case OnExceed::Throttle:
        return {Kind::Hold, wait};
      case OnExceed::Close:
        return gateway::verdict_of(gateway::Goodbye::LimitExceeded);
      default:
        return {Kind::Swallow};
    }
  }
  void on_join(std::string_view outcome) override { joins.emplace_back(outcome); }
  void refused(std::string_view reason, std::string_view room) override {
    refusals.push_back(std::string(reason) + (room.empty() ? "" : " ") + std::string(room));
  }

  const gateway::Route& route_;
  const std::string subject_;
  const std::string path_;
  std::string octets_;

 public:
  gateway::Conversation conversation;
};

struct Fixture {
  House house;
  gateway::Route route = make_route();
  Client alice{house, route, "alice"};
  Client bob{house, route, "bob"};
};

// The same in front of a backend.
struct BackendFixture {
  House house;
  gateway::Route route = [] {
    auto made = make_route();
    made.backend = std::make_shared<gateway::BackendSettings>();
    made.rooms->deliver = Deliver::Backend;
    return made;
  }();
  Client alice{house, route, "alice"};
  Client bob{house, route, "bob"};
};

// An existing protocol: {"op":"subscribe","channel":"…"}.
struct JsonFixture {
  House house;
  gateway::Route route = [] {
    auto made = make_route();
    made.backend = std::make_shared<gateway::BackendSettings>();
    made.connection_limits.on_exceed = OnExceed::Throttle;
    made.rooms->deliver = Deliver::Backend;
    auto& dialect = made.rooms->json.emplace();
    dialect.action = *gateway::parse_json_path("/op");
    dialect.room = *gateway::parse_json_path("/channel");
    dialect.join = {"subscribe"};
    dialect.leave = {"unsubscribe"};
    dialect.publish = {"publish", "typing"};
    return made;
  }();
  Client alice{house, route, "alice"};
};

std::string error(std::string_view code, std::string_view message, std::string_view more = "") {
  return R"({"type":"error","code":")" + std::string(code) + R"(","message":")" +
         std::string(message) + "\"" + std::string(more) + "}";
}

const std::string denied_read = error("access_denied", "Access denied", R"(,"room":"read-1")");

}  // namespace

TEST_SUITE("rooms: joining and leaving") {
  TEST_CASE_FIXTURE(Fixture, "who may join is told so, with the id it gave") {
    CHECK(alice.say(R"({"type":"join","room":"public-1","id":7})").kind == Kind::Swallow);
    CHECK(alice.told() == Strings{R"({"type":"joined","room":"public-1","id":7})"});
    CHECK(house.rooms.members("room:public-1") == 1);
    CHECK(alice.joins == Strings{"joined"});
  }

  TEST_CASE_FIXTURE(Fixture, "who may not join is told so, and is not in the room") {
    CHECK(alice.say(R"({"type":"join","room":"write-1","id":"x"})").kind == Kind::Swallow);
    CHECK(alice.told() ==
          Strings{error("access_denied", "Access denied", R"(,"room":"write-1","id":"x")")});
    CHECK(house.rooms.members("room:write-1") == 0);
    CHECK(alice.refusals == Strings{"access_denied write-1"});
    CHECK(alice.joins == Strings{"access_denied"});
  }

  TEST_CASE_FIXTURE(Fixture, "a room that no rule names is closed") {
    alice.say(R"({"type":"join","room":"elsewhere"})");
    CHECK(alice.refusals == Strings{"access_denied elsewhere"});
  }

  TEST_CASE_FIXTURE(Fixture, "joining twice is answered the same and changes nothing") {
    alice.say(R"({"type":"join","room":"public-1"})");
    alice.say(R"({"type":"join","room":"public-1"})");
    CHECK(alice.told() == Strings(2, R"({"type":"joined","room":"public-1"})"));
    CHECK(house.rooms.members("room:public-1") == 1);
    alice.say(R"({"type":"leave","room":"public-1"})");
    CHECK(house.rooms.members("room:public-1") == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "leaving is answered, also by who is not in the room") {
    alice.say(R"({"type":"join","room":"public-1"})");
    (void)alice.told();
    alice.say(R"({"type":"leave","room":"public-1","id":1})");
    alice.say(R"({"type":"leave","room":"public-1","id":2})");
    CHECK(alice.told() == Strings{R"({"type":"left","room":"public-1","id":1})",
                                  R"({"type":"left","room":"public-1","id":2})"});
    CHECK(house.rooms.rooms() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "over rooms_per_connection a join is refused, in a room already not") {
    route.rooms->rooms_per_connection_max = 2;
    alice.say(R"({"type":"join","room":"public-1"})");
    alice.say(R"({"type":"join","room":"public-2"})");
    (void)alice.told();
    alice.say(R"({"type":"join","room":"public-3"})");
    CHECK(alice.refusals == Strings{"too_many_rooms public-3"});
    (void)alice.told();
    alice.say(R"({"type":"join","room":"public-2"})");
    CHECK(alice.told() == Strings{R"({"type":"joined","room":"public-2"})"});
    alice.say(R"({"type":"leave","room":"public-1"})");
    alice.say(R"({"type":"join","room":"public-3"})");
    CHECK(alice.told().back() == R"({"type":"joined","room":"public-3"})");
  }

  TEST_CASE_FIXTURE(Fixture, "in many rooms each is still found") {
    for (int i = 0; i < 50; ++i) {
      alice.say(R"({"type":"join","room":"public-)" + std::to_string(i) + "\"}");
    }
    alice.say(R"({"type":"leave","room":"public-20"})");
    (void)alice.told();
    alice.say(R"({"type":"message","room":"public-20","payload":1})");
    alice.say(R"({"type":"message","room":"public-49","payload":1})");
    CHECK(alice.refusals == Strings{"not_a_member public-20"});
    CHECK(alice.told().back() ==
          R"({"type":"message","room":"public-49","from":"alice","payload":1})");
  }

  TEST_CASE_FIXTURE(Fixture, "the end takes a client out of all its rooms") {
    alice.say(R"({"type":"join","room":"public-1"})");
    alice.say(R"({"type":"join","room":"public-2"})");
    alice.conversation.end();
    CHECK(house.rooms.rooms() == 0);
    CHECK(house.exchange.rooms() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "rooms of different spaces are different rooms") {
    gateway::Route other = make_route();
    other.rooms->space = "blue";
    Client carol{house, other, "carol"};
    alice.say(R"({"type":"join","room":"public-1"})");
    carol.say(R"({"type":"join","room":"public-1"})");
    (void)alice.told();
    carol.say(R"({"type":"message","room":"public-1","payload":1})");
    CHECK(alice.told().empty());
    CHECK(house.rooms.members("space:blue:room:public-1") == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a rule may look at a claim, also behind one that does not") {
    auth::Condition of_plan = condition(auth::Condition::Kind::Equals);
    of_plan.claim = "plan";
    of_plan.values = {auth::Scalar("pro"s)};
    route.rooms->rules = {rule("public-*", everyone, everyone), rule("pro-*", of_plan, nobody)};
    Client carol{house, route, "carol", "/chat", R"({"plan":"pro"})"};
    Client dave{house, route, "dave", "/chat", R"({"plan":"free"})"};
    carol.say(R"({"type":"join","room":"pro-1"})");
    dave.say(R"({"type":"join","room":"pro-1"})");
    CHECK(carol.refusals.empty());
    CHECK(dave.refusals == Strings{"access_denied pro-1"});
  }

  TEST_CASE_FIXTURE(Fixture, "what the path captured serves in the rules") {
    gateway::Route team;
    team.path = *gateway::PathPattern::parse("/team/{name}");
    auth::Condition of_team = condition(auth::Condition::Kind::Subjects);
    of_team.subjects = {"{name}"};
    team.rooms.emplace().rules = {rule("*", of_team, of_team)};
    Client red{house, team, "red", "/team/red"};
    Client blue{house, team, "blue", "/team/red"};
    red.say(R"({"type":"join","room":"r"})");
    blue.say(R"({"type":"join","room":"r"})");
    CHECK(red.refusals.empty());
    CHECK(blue.refusals == Strings{"access_denied r"});
  }
}

TEST_SUITE("rooms: a join that waits") {
  TEST_CASE_FIXTURE(Fixture, "holds the client's later messages back until it is answered") {
    house.port.late = true;
    auto verdict = alice.say(R"({"type":"join","room":"public-1","id":1})");
    CHECK(verdict.kind == Kind::Hold);
    CHECK(verdict.wait == Verdict::until_resumed);
    CHECK(alice.told().empty());
    house.port.arrive();
    CHECK(alice.resumed == 1);
    CHECK(alice.told() == Strings{R"({"type":"joined","room":"public-1","id":1})"});
    CHECK(alice.say(R"({"type":"join","room":"public-1","id":1})").kind == Kind::Swallow);
    CHECK(alice.told().empty());  // it is the same message, judged again
  }

  TEST_CASE_FIXTURE(Fixture, "makes no member yet for who looks from outside, but counts") {
    house.port.late = true;
    alice.say(R"({"type":"join","room":"public-1"})");
    CHECK(alice.conversation.rooms() == 1);
    CHECK_FALSE(alice.conversation.member_of_key("room:public-1"));
    house.port.arrive();
    CHECK(alice.conversation.member_of_key("room:public-1"));
    CHECK_FALSE(alice.conversation.member_of_key("space:blue:room:public-1"));
  }

  TEST_CASE_FIXTURE(Fixture, "what is said in the room comes behind its answer") {
    house.port.late = true;
    alice.say(R"({"type":"join","room":"public-1"})");
    bob.say(R"({"type":"join","room":"public-1"})");
    house.port.late = false;
    house.port.arrive();
    bob.say(R"({"type":"join","room":"public-1"})");
    bob.say(R"({"type":"message","room":"public-1","payload":1})");
    CHECK(alice.told() ==
          Strings{R"({"type":"joined","room":"public-1"})",
                  R"({"type":"message","room":"public-1","from":"bob","payload":1})"});
  }

  TEST_CASE_FIXTURE(Fixture, "asked about too early, it goes on waiting") {
    house.port.late = true;
    alice.say(R"({"type":"join","room":"public-1"})");
    CHECK(alice.say(R"({"type":"join","room":"public-1"})").kind == Kind::Hold);
    house.port.arrive();
    CHECK(alice.told() == Strings{R"({"type":"joined","room":"public-1"})"});
  }

  TEST_CASE_FIXTURE(Fixture, "and is refused is unavailable, and was answered once") {
    house.port.late = true;
    alice.say(R"({"type":"join","room":"public-1","id":1})");
    house.port.refuse(house.rooms);
    CHECK(alice.resumed == 1);
    CHECK(alice.say(R"({"type":"join","room":"public-1","id":1})").kind == Kind::Swallow);
    CHECK(alice.told() == Strings{error("unavailable", "Unavailable, try again later",
                                        R"(,"room":"public-1","id":1)")});
    CHECK(alice.refusals == Strings{"unavailable public-1"});
    CHECK(alice.joins == Strings{"unavailable"});
  }

  TEST_CASE_FIXTURE(Fixture, "is given up by the client's end") {
    house.port.late = true;
    alice.say(R"({"type":"join","room":"public-1"})");
    alice.conversation.end();
    house.port.arrive();
    CHECK(alice.resumed == 0);
    CHECK(alice.told().empty());
    CHECK(house.exchange.rooms() == 0);
  }
}

TEST_SUITE("rooms: messages") {
  TEST_CASE_FIXTURE(Fixture, "members get one with its sender's name, the sender too") {
    alice.say(R"({"type":"join","room":"public-1"})");
    bob.say(R"({"type":"join","room":"public-1"})");
    (void)alice.told();
    (void)bob.told();
    auto verdict =
        alice.say(R"({"payload": {"a" : [1, 2]}, "x":1, "room":"public-1","type":"message"})");
    CHECK(verdict.kind == Kind::Swallow);
    const Strings expected{
        R"({"type":"message","room":"public-1","from":"alice","payload":{"a" : [1, 2]}})"};
    CHECK(alice.told() == expected);
    CHECK(bob.told() == expected);
  }

  TEST_CASE_FIXTURE(Fixture, "permission is asked before membership") {
    alice.say(R"({"type":"message","room":"read-1","payload":1})");
    CHECK(alice.told() == Strings{denied_read});
    alice.say(R"({"type":"join","room":"read-1"})");
    (void)alice.told();
    alice.say(R"({"type":"message","room":"read-1","payload":1})");
    CHECK(alice.told() == Strings{denied_read});
  }

  TEST_CASE_FIXTURE(Fixture, "who may say something but is not a member says nothing") {
    bob.say(R"({"type":"join","room":"public-1"})");
    (void)bob.told();
    alice.say(R"({"type":"message","room":"public-1","payload":1})");
    CHECK(alice.refusals == Strings{"not_a_member public-1"});
    CHECK(bob.told().empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a verdict on one room is not that on another") {
    alice.say(R"({"type":"join","room":"public-1"})");
    alice.say(R"({"type":"join","room":"read-1"})");
    (void)alice.told();
    for (int i = 0; i < 2; ++i) {
      alice.say(R"({"type":"message","room":"public-1","payload":1})");
      alice.say(R"({"type":"message","room":"read-1","payload":1})");
    }
    const std::string copy = R"({"type":"message","room":"public-1","from":"alice","payload":1})";
    CHECK(alice.told() == Strings{copy, denied_read, copy, denied_read});
  }

  TEST_CASE_FIXTURE(Fixture, "what is no message of the protocol is answered with bad_message") {
    for (std::string_view text :
         {"", "rubbish", "[]", R"({"type":"shout"})", R"({"type":"broadcast","room":"public-1"})",
          R"({"type":"join"})", R"({"type":"join","room":""})",
          R"({"type":"join","room":"a","r\u006fom":"b"})"}) {
      CAPTURE(text);
      CHECK(alice.say(text).kind == Kind::Swallow);
      auto told = alice.told();
      REQUIRE(told.size() == 1);
      CHECK(told[0].starts_with(R"({"type":"error","code":"bad_message")"));
    }
    CHECK(alice.say(proxy::Opcode::Binary, R"({"type":"join","room":"public-1"})").kind ==
          Kind::Swallow);
    CHECK(alice.told()[0].starts_with(R"({"type":"error","code":"bad_message")"));
    CHECK(house.rooms.rooms() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "one hundred errors in five seconds are told, one more is the end") {
    for (int i = 0; i < 100; ++i) CHECK(alice.say("rubbish").kind == Kind::Swallow);
    auto verdict = alice.say("rubbish");
    CHECK(verdict.kind == Kind::Close);
    CHECK(verdict.code == proxy::StatusCode::PolicyViolation);
    CHECK(alice.told().size() == 100);
  }

  TEST_CASE_FIXTURE(Fixture, "in the next five seconds there are as many again") {
    for (int i = 0; i < 100; ++i) alice.say("rubbish");
    alice.time += 5s;
    for (int i = 0; i < 100; ++i) CHECK(alice.say("rubbish").kind == Kind::Swallow);
    CHECK(alice.say("rubbish").kind == Kind::Close);
  }

  TEST_CASE_FIXTURE(Fixture, "one that is lost on its way is answered, whoever it was for") {
    alice.say(R"({"type":"join","room":"public-1"})");
    (void)alice.told();
    house.port.late = true;
    alice.say(R"({"type":"message","room":"public-1","payload":1,"id":5})");
    CHECK(alice.told().empty());
    auto& publish = std::get<gateway::Publish>(house.port.letters.at(0));
    house.rooms.post(gateway::Unpublished{std::move(publish.publisher)});
    CHECK(alice.told() == Strings{R"({"type":"error","code":"unavailable","message":)"
                                  R"("Unavailable, try again later","room":"public-1","id":5})"});
    CHECK(alice.refusals == Strings{"unavailable public-1"});
    house.port.letters.clear();
    for (int i = 0; i < 200; ++i) {
      alice.say(R"({"type":"message","room":"public-1","payload":1})");
    }
    for (auto& letter : house.port.letters) {
      house.rooms.post(
          gateway::Unpublished{std::move(std::get<gateway::Publish>(letter).publisher)});
    }
    CHECK(alice.told().size() == 200);
    house.port.late = false;
    house.port.letters.clear();
  }
}

TEST_SUITE("rooms: the limit of a room") {
  struct LimitFixture : Fixture {
    LimitFixture() {
      route.rooms->room_messages = {1, 2};
      alice.say(R"({"type":"join","room":"public-1"})");
      bob.say(R"({"type":"join","room":"public-1"})");
      alice.say(message);
      bob.say(message);
      (void)alice.told();
      (void)bob.told();
    }
    static constexpr std::string_view message =
        R"({"type":"message","room":"public-1","payload":1,"id":5})";
  };

  TEST_CASE_FIXTURE(LimitFixture, "is of all its members together, and says when to come back") {
    CHECK(alice.say(message).kind == Kind::Swallow);
    CHECK(alice.told() == Strings{error("rate_limited", "Rate limit exceeded",
                                        R"(,"room":"public-1","id":5,"retry_after_ms":1000)")});
    CHECK(bob.told().empty());
    CHECK(alice.exceeded.front().first == AuditedLimit::RoomMessages);
    alice.time = bob.time += 1s;
    alice.say(message);
    CHECK(bob.told().size() == 1);
  }

  TEST_CASE_FIXTURE(LimitFixture, "is not of another room") {
    alice.say(R"({"type":"join","room":"public-2"})");
    (void)alice.told();
    alice.say(R"({"type":"message","room":"public-2","payload":1})");
    CHECK(alice.told().size() == 1);
    CHECK(alice.exceeded.empty());
  }

  TEST_CASE_FIXTURE(LimitFixture, "with drop nothing is said") {
    route.connection_limits.on_exceed = OnExceed::Drop;
    CHECK(alice.say(message).kind == Kind::Swallow);
    CHECK(alice.told().empty());
  }

  TEST_CASE_FIXTURE(LimitFixture, "with throttle the message waits, and is charged once") {
    route.connection_limits.on_exceed = OnExceed::Throttle;
    auto verdict = alice.say(message);
    CHECK(verdict.kind == Kind::Hold);
    CHECK(verdict.wait == 1s);
    alice.time += 1s;
    CHECK(alice.say(message).kind == Kind::Swallow);
    CHECK(alice.told().size() == 1);
  }

  TEST_CASE_FIXTURE(LimitFixture, "with close it is the end") {
    route.connection_limits.on_exceed = OnExceed::Close;
    CHECK(alice.say(message).kind == Kind::Close);
  }

  TEST_CASE_FIXTURE(LimitFixture, "a message that is refused does not cost the room") {
    alice.time = bob.time += 1s;
    alice.conversation.end();
    alice.say(message);
    CHECK(alice.refusals == Strings{"not_a_member public-1"});
    bob.say(message);
    CHECK(bob.exceeded.empty());
  }
}

TEST_SUITE("rooms: with a backend") {
  TEST_CASE_FIXTURE(BackendFixture, "what is allowed reaches it, what is not does not") {
    CHECK(alice.say(R"({"type":"message","room":"public-1"})").kind == Kind::Swallow);
    CHECK(alice.say(R"({"type":"join","room":"public-1"})").kind == Kind::Pass);
    CHECK(alice.say(R"({"type":"message","room":"public-1"})").kind == Kind::Pass);
    CHECK(alice.say(R"({"type":"join","room":"write-1"})").kind == Kind::Swallow);
    CHECK(alice.say(R"({"type":"leave","room":"public-1"})").kind == Kind::Pass);
    CHECK(alice.say(R"({"type":"message","room":"public-1"})").kind == Kind::Swallow);
  }

  TEST_CASE_FIXTURE(BackendFixture, "a join that waited reaches it once it is answered") {
    house.port.late = true;
    CHECK(alice.say(R"({"type":"join","room":"public-1"})").kind == Kind::Hold);
    house.port.arrive();
    CHECK(alice.say(R"({"type":"join","room":"public-1"})").kind == Kind::Pass);
  }

  TEST_CASE_FIXTURE(BackendFixture, "nobody but it hears a message, unless members are to") {
    alice.say(R"({"type":"join","room":"public-1"})");
    bob.say(R"({"type":"join","room":"public-1"})");
    (void)bob.told();
    alice.say(R"({"type":"message","room":"public-1","payload":1})");
    CHECK(bob.told().empty());
    route.rooms->deliver = Deliver::Both;
    CHECK(alice.say(R"({"type":"message","room":"public-1","payload":2})").kind == Kind::Pass);
    CHECK(bob.told().size() == 1);
    route.rooms->deliver = Deliver::Room;
    CHECK(alice.say(R"({"type":"message","room":"public-1","payload":3})").kind == Kind::Swallow);
    CHECK(bob.told().size() == 1);
  }

  TEST_CASE_FIXTURE(BackendFixture, "a client cannot say who it is") {
    alice.say(R"({"type":"join","room":"public-1"})");
    auto verdict = alice.say(R"({"type":"message","room":"public-1","from":"bob"})");
    CHECK(verdict.kind == Kind::Swallow);
    CHECK(alice.refusals == Strings{"bad_message"});
  }

  TEST_CASE_FIXTURE(BackendFixture, "what it says of a room is for members alone") {
    CHECK(alice.hear(R"({"room":"public-1","text":1})").kind == Kind::Swallow);
    alice.say(R"({"type":"join","room":"public-1"})");
    CHECK(alice.hear(R"({"room":"public-1","text":1})").kind == Kind::Pass);
    alice.say(R"({"type":"leave","room":"public-1"})");
    CHECK(alice.hear(R"({"room":"public-1","text":1})").kind == Kind::Swallow);
  }

  TEST_CASE_FIXTURE(BackendFixture, "what it says of no room passes") {
    for (std::string_view text : {R"({"news":1})", "rubbish", R"({"room":7})", "[]"}) {
      CAPTURE(text);
      CHECK(alice.hear(text).kind == Kind::Pass);
    }
    CHECK(alice.conversation.from_backend({proxy::Opcode::Binary, "\xff"}).kind == Kind::Pass);
  }

  TEST_CASE_FIXTURE(BackendFixture,
                    "what two parsers may read differently is dropped and counted") {
    alice.say(R"({"type":"join","room":"public-1"})");
    CHECK(alice.hear(R"({"room":"public-1","r\u006fom":"read-1"})").kind == Kind::Swallow);
    CHECK(alice.refusals == Strings{"backend_message_dropped"});
  }

  TEST_CASE_FIXTURE(BackendFixture,
                    "its broadcast reaches the room only where the policy says so") {
    const std::string text = R"({"type":"broadcast","room":"public-1","payload":[1]})";
    bob.say(R"({"type":"join","room":"public-1"})");
    (void)bob.told();
    CHECK(alice.hear(text).kind == Kind::Swallow);
    CHECK(bob.hear(text).kind == Kind::Pass);
    CHECK(bob.told().empty());
    route.rooms->backend_broadcast = true;
    CHECK(alice.hear(text).kind == Kind::Swallow);
    CHECK(bob.told() == Strings{R"({"type":"message","room":"public-1","payload":[1]})"});
  }

  TEST_CASE_FIXTURE(BackendFixture, "a broadcast for which there was no room is counted") {
    route.rooms->backend_broadcast = true;
    house.port.full = true;
    CHECK(alice.hear(R"({"type":"broadcast","room":"public-1"})").kind == Kind::Swallow);
    CHECK(alice.refusals == Strings{"unavailable public-1"});
  }

  TEST_CASE_FIXTURE(BackendFixture, "a client's broadcast reaches nobody, whatever passes") {
    route.rooms->backend_broadcast = route.rooms->other_passes = true;
    auto verdict = alice.say(R"({"type":"broadcast","room":"public-1","payload":1})");
    CHECK(verdict.kind == Kind::Swallow);
    CHECK(alice.refusals == Strings{"bad_message"});
  }

  TEST_CASE_FIXTURE(BackendFixture, "a message of another type passes only where that is allowed") {
    CHECK(alice.say(R"({"type":"typing"})").kind == Kind::Swallow);
    route.rooms->other_passes = true;
    CHECK(alice.say(R"({"type":"typing"})").kind == Kind::Pass);
  }

  TEST_CASE_FIXTURE(BackendFixture, "where it acknowledges, the gateway does not") {
    route.rooms->backend_acknowledges = true;
    CHECK(alice.say(R"({"type":"join","room":"public-1"})").kind == Kind::Pass);
    CHECK(alice.told().empty());
    CHECK(alice.hear(R"({"type":"joined","room":"public-1"})").kind == Kind::Pass);
    CHECK(alice.say(R"({"type":"leave","room":"public-1"})").kind == Kind::Pass);
    CHECK(alice.hear(R"({"type":"left","room":"public-1"})").kind == Kind::Pass);
    CHECK(alice.hear(R"({"type":"message","room":"public-1"})").kind == Kind::Swallow);
    CHECK(alice.told().empty());
  }
}

TEST_SUITE("rooms: another token") {
  const std::string refresh = R"({"type":"refresh","token":"a.b.c","id":7})";
  const std::string refreshed = R"({"type":"refreshed","expires_at":1700000000,"id":7})";

  // Rooms for the teams in a claim; one may speak in them by another.
  gateway::Route team_route() {
    auto route = make_route();
    auth::Condition of_team = condition(auth::Condition::Kind::Contains);
    of_team.claim = "teams";
    of_team.values = {auth::Scalar("{team}"s)};
    auth::Condition of_role = condition(auth::Condition::Kind::Equals);
    of_role.claim = "role";
    of_role.values = {auth::Scalar("editor"s)};
    route.rooms->rules = {rule("team:{team}", of_team, of_role),
                          rule("public-*", everyone, everyone)};
    return route;
  }

  auth::Principal alice_with(std::string_view claims_json) {
    auto made = Client::principal("alice", claims_json);
    made.good_until = auth::WallTime(1'700'000'000'750ms);
    return made;
  }

  const auto in_red_and_blue = R"({"teams":["red","blue"],"role":"editor"})";

  struct TeamFixture {
    House house;
    gateway::Route route = team_route();
    Client alice{house, route, "alice", "/chat", in_red_and_blue};
    TeamFixture() {
      for (auto room : {"team:red", "public-1", "team:blue"}) {
        alice.say(R"({"type":"join","room":")"s + room + "\"}");
      }
      (void)alice.told();
    }
  };

  TEST_CASE_FIXTURE(TeamFixture, "is answered with its end, and nobody else hears of it") {
    alice.next_principal = alice_with(in_red_and_blue);
    CHECK(alice.say(refresh).kind == Kind::Swallow);
    CHECK(alice.tokens == Strings{"a.b.c"});
    CHECK(alice.told() == Strings{refreshed});
    REQUIRE(alice.renewed.size() == 1);
    CHECK(alice.renewed[0].first == alice.next_principal.good_until);
    CHECK(alice.renewed[0].second == 0);
    CHECK(house.rooms.members("room:team:red") == 1);
  }

  TEST_CASE_FIXTURE(TeamFixture, "costs the rooms that its claims do not open, which is said") {
    alice.next_principal = alice_with(R"({"teams":["blue"],"role":"editor"})");
    CHECK(alice.say(refresh).kind == Kind::Swallow);
    CHECK(alice.told() ==
          Strings{refreshed, R"({"type":"left","room":"team:red","reason":"refresh"})"});
    CHECK(alice.renewed.at(0).second == 1);
    CHECK(house.rooms.members("room:team:red") == 0);
    CHECK(house.rooms.members("room:team:blue") == 1);
    CHECK(house.rooms.members("room:public-1") == 1);
    alice.say(R"({"type":"message","room":"team:red","payload":1})");
    alice.say(R"({"type":"join","room":"team:red"})");
    CHECK(alice.refusals == Strings{"not_a_member team:red", "access_denied team:red"});
  }

  TEST_CASE_FIXTURE(TeamFixture, "costs all of many rooms as well") {
    alice.next_principal = alice_with("{}");
    alice.say(refresh);
    auto told = alice.told();
    CHECK(told.size() == 3);
    CHECK(alice.renewed.at(0).second == 2);
    CHECK(house.rooms.rooms() == 1);
  }

  TEST_CASE_FIXTURE(TeamFixture,
                    "takes and gives the permission to speak where one speaks already") {
    const auto say = R"({"type":"message","room":"team:red","payload":1})";
    alice.say(say);
    CHECK(alice.told().size() == 1);
    alice.next_principal = alice_with(R"({"teams":["red"],"role":"reader"})");
    alice.say(refresh);
    alice.say(say);
    CHECK(alice.refusals == Strings{"access_denied team:red"});
    alice.next_principal = alice_with(R"({"teams":["red"],"role":"editor"})");
    alice.say(refresh);
    (void)alice.told();
    alice.say(say);
    CHECK(alice.told() ==
          Strings{R"({"type":"message","room":"team:red","from":"alice","payload":1})"});
  }

  TEST_CASE_FIXTURE(TeamFixture,
                    "that does not verify changes nothing, and the reason is not told") {
    alice.denial = gateway::Denial::TokenRefused;
    CHECK(alice.say(refresh).kind == Kind::Swallow);
    CHECK(alice.told() == Strings{error("invalid_token", "Invalid token", R"(,"id":7)")});
    CHECK(alice.refusals == Strings{"token_refused"});
    CHECK(alice.renewed.empty());
    CHECK(house.rooms.members("room:team:red") == 1);
  }

  TEST_CASE_FIXTURE(TeamFixture,
                    "that serves once waits until somebody knows that it is the first") {
    using Outcome = gateway::DepositAnswer::Outcome;
    alice.next_principal = alice_with(in_red_and_blue);
    alice.next_principal.single_use = true;
    const auto verdict = alice.say(refresh);
    CHECK(verdict.kind == Kind::Hold);
    CHECK(verdict.wait == proxy::Verdict::until_resumed);
    CHECK(alice.renewed.empty());
    alice.use = Outcome::Done;
    CHECK(alice.say(refresh).kind == Kind::Swallow);
    CHECK(alice.told() == Strings{refreshed});
    CHECK(alice.renewed.size() == 1);
  }

  TEST_CASE_FIXTURE(TeamFixture, "that has been used, or of which nobody knows, changes nothing") {
    using Outcome = gateway::DepositAnswer::Outcome;
    alice.next_principal.single_use = true;
    alice.use = Outcome::NotDone;
    alice.say(refresh);
    CHECK(alice.told() == Strings{error("invalid_token", "Invalid token", R"(,"id":7)")});
    for (const auto outcome : {Outcome::Away, Outcome::Full}) {
      alice.use = outcome;
      alice.say(refresh);
      CHECK(alice.told() ==
            Strings{error("unavailable", "Unavailable, try again later", R"(,"id":7)")});
    }
    CHECK(alice.refusals == Strings{"token_used", "unavailable", "unavailable"});
    CHECK(alice.renewed.empty());
  }

  TEST_CASE_FIXTURE(TeamFixture,
                    "is not used up where it is refused for another reason, or may be used again") {
    alice.say(refresh);
    alice.next_principal.single_use = true;
    alice.denial = gateway::Denial::TokenRefused;
    alice.say(refresh);
    CHECK(alice.uses_asked == 0);
  }

  TEST_CASE_FIXTURE(TeamFixture, "of somebody else is the end, with 4401") {
    alice.denial = gateway::Denial::PrincipalChanged;
    auto verdict = alice.say(refresh);
    CHECK(verdict.kind == Kind::Close);
    CHECK(verdict.code == gateway::close_unauthorized);
    CHECK(alice.told().empty());
    CHECK(alice.renewed.empty());
  }

  TEST_CASE("that `allow` does not let in any more is the end, with 4403; captures serve in it") {
    House house;
    auto route = team_route();
    route.path = *gateway::PathPattern::parse("/teams/{of}");
    route.allow = condition(auth::Condition::Kind::Contains);
    route.allow.claim = "teams";
    route.allow.values = {auth::Scalar("{of}"s)};
    Client alice{house, route, "alice", "/teams/red", in_red_and_blue};
    alice.next_principal = alice_with(R"({"teams":["red"]})");
    CHECK(alice.say(refresh).kind == Kind::Swallow);
    (void)alice.told();
    alice.next_principal = alice_with(R"({"teams":["blue"]})");
    auto verdict = alice.say(refresh);
    CHECK(verdict.kind == Kind::Close);
    CHECK(verdict.code == gateway::close_forbidden);
    CHECK(alice.told().empty());
    CHECK(alice.renewed.size() == 1);
  }

  TEST_CASE("never reaches a backend, which hears of the rooms that it cost as of leaves") {
    House house;
    auto route = team_route();
    route.backend = std::make_shared<gateway::BackendSettings>();
    route.rooms->deliver = Deliver::Backend;
    route.rooms->other_passes = true;
    Client alice{house, route, "alice", "/chat", in_red_and_blue};
    for (auto room : {"team:red", "team:blue"}) {
      alice.say(R"({"type":"join","room":")"s + room + "\"}");
    }
    (void)alice.told();
    alice.next_principal = alice_with(R"({"teams":["blue"]})");
    // Once more when all that was said before it has been handed over.
    auto verdict = alice.say(refresh);
    CHECK(verdict.kind == Kind::Hold);
    CHECK(verdict.wait == proxy::Duration::zero());
    CHECK(alice.tokens.empty());
    CHECK(alice.say(refresh).kind == Kind::Swallow);
    CHECK(alice.told_backend == Strings{R"({"type":"leave","room":"team:red"})"});
    CHECK(alice.told() ==
          Strings{refreshed, R"({"type":"left","room":"team:red","reason":"refresh"})"});
    CHECK(alice.hear(R"({"room":"team:red"})").kind == Kind::Swallow);
    CHECK(alice.hear(R"({"room":"team:blue"})").kind == Kind::Pass);
    CHECK(alice.say(refresh).kind == Kind::Hold);
    CHECK(alice.say(refresh).kind == Kind::Swallow);
    CHECK(alice.told_backend.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "the end of a token is told ahead, in whole seconds") {
    alice.conversation.warn_of_end(29'998ms);
    CHECK(alice.told() == Strings{R"({"type":"expiring","expires_in":30})"});
  }

  TEST_CASE_FIXTURE(JsonFixture, "in somebody else's protocol is no word, nor is its end") {
    alice.conversation.warn_of_end(30s);
    CHECK(alice.say(refresh).kind == Kind::Swallow);
    CHECK(alice.tokens.empty());
    CHECK(alice.told().empty());
  }

  auth::Principal alice_now(std::string_view claims_json) {
    return Client::principal("alice", claims_json);
  }

  TEST_CASE_FIXTURE(TeamFixture, "other claims of a login cost rooms as well") {
    CHECK(alice.conversation.change_claims(alice_now(R"({"teams":["blue","green"]})")) == 1);
    CHECK(alice.told() == Strings{R"({"type":"left","room":"team:red","reason":"refresh"})"});
    CHECK(house.rooms.members("room:team:red") == 0);
    CHECK(house.rooms.members("room:team:blue") == 1);
    alice.say(R"({"type":"join","room":"team:green"})");
    alice.say(R"({"type":"join","room":"team:red"})");
    alice.say(R"({"type":"message","room":"team:blue","payload":1})");
    CHECK(alice.refusals == Strings{"access_denied team:red", "access_denied team:blue"});
    CHECK(alice.renewed.empty());
  }

  TEST_CASE_FIXTURE(TeamFixture, "of that a backend hears that the client has left") {
    route.backend = std::make_shared<gateway::BackendSettings>();
    CHECK(alice.conversation.change_claims(alice_now("{}")) == 2);
    CHECK(alice.told_backend.size() == 2);
  }

  TEST_CASE_FIXTURE(TeamFixture, "a join that waits, and may not be any more, is refused") {
    alice.say(R"({"type":"leave","room":"team:red"})");
    (void)alice.told();
    route.backend = std::make_shared<gateway::BackendSettings>();
    house.port.late = true;
    const auto join = R"({"type":"join","room":"team:red","id":1})";
    CHECK(alice.say(join).kind == Kind::Hold);
    CHECK(alice.conversation.change_claims(alice_now(R"({"teams":["blue"]})")) == 1);
    CHECK(alice.resumed == 1);
    CHECK(alice.say(join).kind == Kind::Swallow);
    house.port.arrive();
    CHECK(alice.resumed == 1);
    CHECK(alice.told() ==
          Strings{error("access_denied", "Access denied", R"(,"room":"team:red","id":1)")});
    CHECK(alice.told_backend.empty());
    CHECK(house.rooms.members("room:team:red") == 0);
  }

  TEST_CASE_FIXTURE(TeamFixture, "a join that waits, and still may be, goes on") {
    alice.say(R"({"type":"leave","room":"team:red"})");
    (void)alice.told();
    house.port.late = true;
    CHECK(alice.say(R"({"type":"join","room":"team:red"})").kind == Kind::Hold);
    CHECK(alice.conversation.change_claims(alice_now(R"({"teams":["red","blue"]})")) == 0);
    CHECK(alice.resumed == 0);
    house.port.arrive();
    CHECK(alice.told() == Strings{R"({"type":"joined","room":"team:red"})"});
  }
}

TEST_SUITE("messages of an existing protocol") {
  TEST_CASE_FIXTURE(JsonFixture, "are checked as rooms are, and nothing is said") {
    CHECK(alice.say(R"({"op":"publish","channel":"public-1"})").kind == Kind::Swallow);
    CHECK(alice.say(R"({"op":"subscribe","channel":"public-1"})").kind == Kind::Pass);
    CHECK(alice.say(R"({"op":"typing","channel":"public-1"})").kind == Kind::Pass);
    CHECK(alice.say(R"({"op":"subscribe","channel":"write-1"})").kind == Kind::Swallow);
    CHECK(alice.say(R"({"op":"unsubscribe","channel":"public-1"})").kind == Kind::Pass);
    CHECK(alice.say(R"({"op":"publish","channel":"public-1"})").kind == Kind::Swallow);
    CHECK(alice.say(R"({"op":"publish","channel":7})").kind == Kind::Swallow);
    CHECK(alice.told().empty());
    CHECK(alice.refusals == Strings{"not_a_member public-1", "access_denied write-1",
                                    "not_a_member public-1", "bad_message"});
  }

  TEST_CASE_FIXTURE(JsonFixture, "a refusal can be the end") {
    route.rooms->json->close_on_denied = true;
    auto verdict = alice.say(R"({"op":"subscribe","channel":"write-1"})");
    CHECK(verdict.kind == Kind::Close);
    CHECK(verdict.code == proxy::StatusCode::PolicyViolation);
    CHECK(alice.told().empty());
  }

  TEST_CASE_FIXTURE(JsonFixture, "a refusal of a join that waited can be the end as well") {
    route.rooms->json->close_on_denied = true;
    house.port.late = true;
    CHECK(alice.say(R"({"op":"subscribe","channel":"public-1"})").kind == Kind::Hold);
    house.port.refuse(house.rooms);
    auto verdict = alice.say(R"({"op":"subscribe","channel":"public-1"})");
    CHECK(verdict.kind == Kind::Close);
    CHECK(verdict.code == proxy::StatusCode::PolicyViolation);
  }

  TEST_CASE_FIXTURE(JsonFixture, "other messages pass only where that is allowed") {
    for (bool allowed : {false, true}) {
      route.rooms->json->other_passes = allowed;
      const auto expected = allowed ? Kind::Pass : Kind::Swallow;
      CHECK(alice.say(R"({"op":"ping"})").kind == expected);
      CHECK(alice.say("rubbish").kind == expected);
      CHECK(alice.say(proxy::Opcode::Binary, "\x01").kind == expected);
    }
  }

  TEST_CASE_FIXTURE(JsonFixture, "a lost room means that its frames stop") {
    CHECK(alice.hear(R"({"channel":"public-1","data":1})").kind == Kind::Swallow);
    alice.say(R"({"op":"subscribe","channel":"public-1"})");
    CHECK(alice.hear(R"({"channel":"public-1","data":1})").kind == Kind::Pass);
    CHECK(alice.hear(R"({"data":1})").kind == Kind::Pass);
    CHECK(alice.hear(R"({"channel":"public-1","channel":"x"})").kind == Kind::Swallow);
    CHECK(alice.refusals == Strings{"backend_message_dropped"});
  }

  TEST_CASE_FIXTURE(JsonFixture,
                    "in a protocol that is another's, its frames stop without a word") {
    alice.say(R"({"op":"subscribe","channel":"public-1"})");
    route.rooms->rules = {rule("public-*", nobody, everyone)};
    CHECK(alice.conversation.change_claims(Client::principal("alice", "{}")) == 1);
    CHECK(alice.hear(R"({"channel":"public-1","data":1})").kind == Kind::Swallow);
    CHECK(alice.told().empty());
    CHECK(alice.told_backend.empty());
  }

  TEST_CASE_FIXTURE(JsonFixture, "the limit of a room throttles") {
    route.rooms->room_messages = {1, 1};
    alice.say(R"({"op":"subscribe","channel":"public-1"})");
    CHECK(alice.say(R"({"op":"publish","channel":"public-1"})").kind == Kind::Pass);
    CHECK(alice.say(R"({"op":"publish","channel":"public-1"})").kind == Kind::Hold);
  }
}

TEST_SUITE("CONTRACT 5: rooms and another policy") {
  // Only this room is left.
  gateway::Route only(std::string_view room, gateway::Route route = make_route()) {
    route.rooms->rules = {rule(room, everyone, everyone)};
    return route;
  }

  TEST_CASE("a join that waits for its answer is refused where it may not be any more") {
    House house;
    const auto route = make_route();
    Client alice{house, route, "alice"};
    house.port.late = true;
    CHECK(alice.say(R"({"type":"join","room":"public-1","id":1})").kind == Kind::Hold);
    const auto other = only("public-2");
    CHECK(alice.adopt(other) == 1);
    CHECK(alice.told() ==
          Strings{R"({"type":"error","code":"access_denied","message":"Access denied",)"
                  R"("room":"public-1","id":1})"});
    CHECK(alice.resumed == 1);
    house.port.arrive();
    CHECK(alice.say(R"({"type":"join","room":"public-1","id":1})").kind == Kind::Swallow);
    CHECK(alice.told().empty());
    CHECK(house.rooms.members("room:public-1") == 0);
  }

  TEST_CASE("a join that may go on waits on, and is answered once") {
    House house;
    const auto route = make_route();
    Client alice{house, route, "alice"};
    house.port.late = true;
    alice.say(R"({"type":"join","room":"public-1"})");
    const auto other = only("public-1");
    CHECK(alice.adopt(other) == 0);
    house.port.arrive();
    CHECK(alice.told() == Strings{R"({"type":"joined","room":"public-1"})"});
  }

  TEST_CASE("where there is a backend it is told of a leave, and never of the join behind it") {
    House house;
    auto route = make_route();
    route.backend = std::make_shared<gateway::BackendSettings>();
    Client alice{house, route, "alice"};
    house.port.late = true;
    CHECK(alice.say(R"({"type":"join","room":"public-1"})").kind == Kind::Hold);
    house.port.arrive();
    const auto other = only("public-2", route);
    CHECK(alice.adopt(other) == 1);
    CHECK(alice.told_backend == Strings{R"({"type":"leave","room":"public-1"})"});
    CHECK(alice.say(R"({"type":"join","room":"public-1"})").kind == Kind::Swallow);
  }

  TEST_CASE("what the claims say counts where the rules look at them from now on") {
    House house;
    const auto route = make_route();
    Client alice{house, route, "alice"};
    alice.say(R"({"type":"join","room":"public-1"})");
    alice.told();
    auto other = make_route();
    auto of_plan = condition(auth::Condition::Kind::Equals);
    of_plan.claim = "plan";
    of_plan.values = {auth::Scalar("pro"s)};
    other.rooms->rules = {rule("public-*", of_plan, of_plan)};
    CHECK(alice.adopt(other, R"({"plan":"pro"})") == 0);
    CHECK(alice.say(R"({"type":"message","room":"public-1","payload":1})").kind == Kind::Swallow);
    CHECK(alice.told().size() == 1);
    CHECK(alice.adopt(other, R"({"plan":"free"})") == 1);
    CHECK(alice.told() == Strings{R"({"type":"left","room":"public-1","reason":"policy"})"});
  }

  TEST_CASE("in a protocol that is not the gateway's a room that is lost falls silent") {
    House house;
    auto route = make_route();
    route.backend = std::make_shared<gateway::BackendSettings>();
    auto& dialect = route.rooms->json.emplace();
    dialect.action = *gateway::parse_json_path("/op");
    dialect.room = *gateway::parse_json_path("/channel");
    dialect.join = {"subscribe"};
    Client alice{house, route, "alice"};
    alice.say(R"({"op":"subscribe","channel":"public-1"})");
    CHECK(alice.hear(R"({"op":"say","channel":"public-1"})").kind == Kind::Pass);
    const auto other = only("public-2", route);
    CHECK(alice.adopt(other) == 1);
    CHECK(alice.told().empty());
    CHECK(alice.told_backend.empty());
    CHECK(alice.hear(R"({"op":"say","channel":"public-1"})").kind == Kind::Swallow);
  }
}

}  // namespace tests
