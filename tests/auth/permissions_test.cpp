#include "auth/permissions.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "auth/room_rules.h"
#include "tests/auth/json_text.h"

using auth::Condition;
using auth::decide;
using auth::may;
using auth::RoomAction;
using auth::RoomPattern;
using auth::RoomRequest;
using auth::RoomRule;
using Kind = Condition::Kind;
using Capture = std::pair<std::string_view, std::string_view>;

namespace {

Condition of(Kind kind) {
  Condition condition;
  condition.kind = kind;
  return condition;
}

Condition contains(std::string claim, std::string value) {
  Condition condition = of(Kind::Contains);
  condition.claim = std::move(claim);
  condition.values = {auth::Scalar(std::move(value))};
  return condition;
}

Condition all(std::vector<Condition> children) {
  Condition condition = of(Kind::All);
  condition.children = std::move(children);
  return condition;
}

Condition capability(std::string claim) {
  Condition condition = of(Kind::Capability);
  condition.claim = std::move(claim);
  return condition;
}

RoomRule rule(std::string_view match, Condition join = {}, Condition publish = {}) {
  return {RoomPattern::parse(match).value(), std::move(join), std::move(publish)};
}

auth::Principal principal(std::string_view claims_json) {
  auth::Principal made;
  made.subject = "alice";
  made.claims = tests::claims(claims_json);
  return made;
}

const Condition everyone = of(Kind::Everyone);
const Condition nobody = of(Kind::Nobody);

RoomRequest join(std::string_view room) { return {room, RoomAction::Join}; }
RoomRequest publish(std::string_view room) { return {room, RoomAction::Publish}; }

}  // namespace

TEST_SUITE("Permissions in rooms") {
  TEST_CASE("a room that no rule matches is denied") {
    const auth::Principal alice = principal("{}");
    const std::vector<RoomRule> rules = {rule("public-*", everyone, everyone)};
    CHECK(may(rules, alice, join("public-1")));
    CHECK(may(rules, alice, publish("public-1")));
    for (const char* room : {"private", "Public-1", " public-1", ""}) {
      CAPTURE(room);
      CHECK_FALSE(may(rules, alice, join(room)));
      CHECK_FALSE(may(rules, alice, publish(room)));
    }
    CHECK_FALSE(may({}, alice, join("public-1")));
  }

  TEST_CASE("the first rule that matches decides, whatever a later one would say") {
    const auth::Principal alice = principal("{}");
    const std::vector<RoomRule> closed = {rule("ops", nobody, nobody),
                                          rule("*", everyone, everyone)};
    CHECK_FALSE(may(closed, alice, join("ops")));
    CHECK(may(closed, alice, join("other")));
    const std::vector<RoomRule> open = {rule("*", everyone, everyone), rule("ops", nobody, nobody)};
    CHECK(may(open, alice, join("ops")));
  }

  TEST_CASE("joining and publishing are asked apart; what the rule leaves out nobody may") {
    const auth::Principal alice = principal("{}");
    const std::vector<RoomRule> rules = {rule("heard", everyone), rule("said", {}, everyone),
                                         rule("neither")};
    CHECK(may(rules, alice, join("heard")));
    CHECK_FALSE(may(rules, alice, publish("heard")));
    CHECK_FALSE(may(rules, alice, join("said")));
    CHECK(may(rules, alice, publish("said")));
    CHECK_FALSE(may(rules, alice, join("neither")));
    CHECK_FALSE(may(rules, alice, publish("neither")));
  }

  TEST_CASE("{name} in a condition is what the room's name captured") {
    const auth::Principal alice = principal(R"({"teams":["red","{team}"]})");
    const std::vector<RoomRule> rules = {rule("team:{team}", contains("teams", "{team}"))};
    CHECK(may(rules, alice, join("team:red")));
    CHECK_FALSE(may(rules, alice, join("team:blue")));
    CHECK_FALSE(may(rules, alice, join("team:red:blue")));
    CHECK_FALSE(may(rules, alice, join("team:")));
  }

  TEST_CASE("a rule that only began to match captures nothing for the next one") {
    const auth::Principal alice = principal(R"({"teams":["red"]})");
    const std::vector<RoomRule> rules = {rule("{team}:x", contains("teams", "{team}")),
                                         rule("*", contains("teams", "{team}"))};
    CHECK(may(rules, alice, join("red:x")));
    CHECK_FALSE(may(rules, alice, join("red:y")));
  }

  TEST_CASE("what the path captured serves too, unless the room captured the same name") {
    const auth::Principal alice = principal(R"({"teams":["red"],"orgs":["acme"]})");
    const std::array<Capture, 2> path = {{{"org", "acme"}, {"team", "red"}}};
    const std::vector<RoomRule> rules = {
        rule("lobby", contains("orgs", "{org}")),
        rule("team:{team}", all({contains("orgs", "{org}"), contains("teams", "{team}")}))};
    CHECK(may(rules, alice, join("lobby"), path));
    CHECK(may(rules, alice, join("team:red"), path));
    CHECK_FALSE(may(rules, alice, join("team:blue"), path));
    const std::array<Capture, 2> elsewhere = {{{"org", "other"}, {"team", "red"}}};
    CHECK_FALSE(may(rules, alice, join("lobby"), elsewhere));
    CHECK_FALSE(may(rules, alice, join("team:red"), elsewhere));
    CHECK_FALSE(may(rules, alice, join("team:red")));
  }

  TEST_CASE("a capability is asked about the room and the action") {
    const auth::Principal alice =
        principal(R"({"rooms":["doc-*",{"room":"chat-7","allow":["join"]}]})");
    const std::vector<RoomRule> rules = {rule("*", capability("rooms"), capability("rooms"))};
    CHECK(may(rules, alice, join("doc-1")));
    CHECK(may(rules, alice, publish("doc-1")));
    CHECK(may(rules, alice, join("chat-7")));
    CHECK_FALSE(may(rules, alice, publish("chat-7")));
    CHECK_FALSE(may(rules, alice, join("chat-8")));
    const std::vector<RoomRule> capturing = {rule("doc-{id}", capability("rooms"))};
    CHECK(may(capturing, alice, join("doc-1")));
    CHECK_FALSE(may(capturing, principal("{}"), join("doc-1")));
  }

  TEST_CASE("a decision names the rule, the condition that decided and what was captured") {
    const auth::Principal alice = principal(R"({"teams":["red"]})");
    std::vector<RoomRule> rules = {rule("public-*", everyone),
                                   rule("team:{team}", contains("teams", "{team}"),
                                        all({contains("teams", "{team}"), capability("rooms")}))};
    rules[1].line = 17;
    const std::array<Capture, 1> path = {{{"org", "acme"}}};

    const auto joined = decide(rules, alice, join("team:red"), path);
    CHECK(joined.allowed);
    CHECK(joined.rule == &rules[1]);
    CHECK(joined.condition == &rules[1].join);
    CHECK(joined.captures == std::vector<Capture>{{"team", "red"}, {"org", "acme"}});

    const auto published = decide(rules, alice, publish("team:red"), path);
    CHECK_FALSE(published.allowed);
    CHECK(published.rule->line == 17);
    CHECK(published.condition == &rules[1].publish.children[1]);
    CHECK(auth::describe(*published.condition) == "{capability: rooms}");

    const auto other = decide(rules, alice, publish("team:blue"), path);
    CHECK(other.condition == &rules[1].publish.children[0]);
  }

  TEST_CASE("where no rule matched a decision names none") {
    const std::vector<RoomRule> rules = {rule("{a}:b", everyone)};
    const std::array<Capture, 1> path = {{{"org", "acme"}}};
    const auto decision = decide(rules, principal("{}"), join("a:c"), path);
    CHECK_FALSE(decision.allowed);
    CHECK(decision.rule == nullptr);
    CHECK(decision.condition == nullptr);
    CHECK(decision.captures.empty());
  }

  TEST_CASE("rules look at as much as the one that looks at most") {
    const auto look_at = [](const auth::RoomRules& rules) { return rules.looks_at(); };
    Condition alice = of(Kind::Subjects);
    alice.subjects = {"alice"};
    CHECK(look_at({}) == auth::LooksAt::Nothing);
    CHECK(look_at({rule("a", everyone), rule("b")}) == auth::LooksAt::Nothing);
    CHECK(look_at({rule("a", alice), rule("b", everyone)}) == auth::LooksAt::Subject);
    CHECK(look_at({rule("a", alice), rule("b", {}, contains("teams", "red")), rule("c")}) ==
          auth::LooksAt::Claims);
  }

  TEST_CASE("both ways of asking give the same answer") {
    const auth::Principal alice = principal(R"({"teams":["red"],"rooms":["doc-*"]})");
    const std::vector<RoomRule> rules = {
        rule("public-*", everyone), rule("team:{team}", contains("teams", "{team}"), everyone),
        rule("{team}", contains("teams", "{team}")), rule("*", capability("rooms"))};
    const std::array<Capture, 1> path = {{{"team", "red"}}};
    int allowed = 0;
    for (const char* room :
         {"public-1", "team:red", "team:blue", "red", "blue", "doc-1", "doc-1:2", "x:y"}) {
      for (const RoomRequest& request : {join(room), publish(room)}) {
        CAPTURE(room);
        const bool answer = may(rules, alice, request, path);
        CHECK(decide(rules, alice, request, path).allowed == answer);
        allowed += answer ? 1 : 0;
      }
    }
    CHECK(allowed == 6);
  }
}
