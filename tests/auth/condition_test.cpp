#include "auth/condition.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/auth/json_text.h"

using auth::Condition;
using auth::holds;
using auth::RoomRequest;
using auth::Scalar;
using enum auth::RoomAction;
using Kind = Condition::Kind;
using Capture = std::pair<std::string_view, std::string_view>;

namespace {

Condition of(Kind kind) {
  Condition condition;
  condition.kind = kind;
  return condition;
}

Condition subjects(std::vector<std::string> listed) {
  Condition condition = of(Kind::Subjects);
  condition.subjects = std::move(listed);
  return condition;
}

Condition claim(std::string name, Kind kind, std::vector<Scalar> values) {
  Condition condition = of(kind);
  condition.claim = std::move(name);
  condition.values = std::move(values);
  return condition;
}

Condition combined(Kind kind, std::vector<Condition> children) {
  Condition condition = of(kind);
  condition.children = std::move(children);
  return condition;
}

Scalar text(std::string value) { return Scalar(std::move(value)); }

auth::Principal principal(std::string subject, std::string_view claims_json) {
  auth::Principal made;
  made.subject = std::move(subject);
  made.claims = tests::claims(claims_json);
  return made;
}

// As an authenticator with the subject_prefix "idp:" makes her.
auth::Principal make_alice() {
  return principal("idp:alice",
                   R"({"sub":"alice","plan":"pro","level":3,"beta":true,"empty":"",
                       "teams":["red","blue",7],"scope":"chat:read chat:write",
                       "realm":{"roles":["admin"]},"https://example.com/roles":["editor"],
                       "nothing":null,"nested":[["red"]]})");
}

Condition capability(std::string claim) {
  Condition condition = of(Kind::Capability);
  condition.claim = std::move(claim);
  return condition;
}

// Does a token whose claim `rooms` is this JSON grant it?
bool grants(const std::string& rooms_json, std::string_view room, auth::RoomAction action = Join) {
  const RoomRequest request{room, action};
  return holds(capability("rooms"), principal("alice", "{\"rooms\":" + rooms_json + "}"), {},
               &request);
}

const RoomRequest join_r{"r", Join};

const Condition yes = of(Kind::Everyone);
const Condition no = of(Kind::Nobody);

}  // namespace

TEST_SUITE("Conditions") {
  TEST_CASE("everyone and nobody") {
    const auth::Principal alice = make_alice();
    CHECK(holds(yes, alice));
    CHECK_FALSE(holds(no, alice));
    CHECK(holds(yes, auth::Principal{}));
  }

  TEST_CASE("subjects are whole subjects, prefix included") {
    const auth::Principal alice = make_alice();
    CHECK(holds(subjects({"bob", "idp:alice"}), alice));
    CHECK_FALSE(holds(subjects({"alice", "idp:alice2", "IDP:alice", ""}), alice));
    CHECK_FALSE(holds(subjects({}), alice));
  }

  TEST_CASE("equals and in compare a scalar, exactly and typed") {
    const auth::Principal alice = make_alice();
    CHECK(holds(claim("plan", Kind::Equals, {text("pro")}), alice));
    CHECK_FALSE(holds(claim("plan", Kind::Equals, {text("Pro")}), alice));
    CHECK(holds(claim("plan", Kind::In, {text("team"), text("pro")}), alice));
    CHECK_FALSE(holds(claim("plan", Kind::In, {text("team")}), alice));
    CHECK(holds(claim("level", Kind::In, {text("3"), Scalar(std::int64_t{3})}), alice));
    CHECK_FALSE(holds(claim("level", Kind::Equals, {text("3")}), alice));
    CHECK(holds(claim("beta", Kind::Equals, {Scalar(true)}), alice));
    CHECK_FALSE(holds(claim("beta", Kind::Equals, {text("true")}), alice));
    CHECK(holds(claim("empty", Kind::Equals, {text("")}), alice));
    CHECK(holds(claim("nothing", Kind::Equals, {Scalar(nullptr)}), alice));
  }

  TEST_CASE("equals and in never look into an array") {
    const auth::Principal alice = make_alice();
    CHECK_FALSE(holds(claim("teams", Kind::Equals, {text("red")}), alice));
    CHECK_FALSE(holds(claim("teams", Kind::In, {text("red"), text("blue")}), alice));
  }

  TEST_CASE("contains looks for an element of an array") {
    const auth::Principal alice = make_alice();
    CHECK(holds(claim("teams", Kind::Contains, {text("blue")}), alice));
    CHECK(holds(claim("teams", Kind::Contains, {Scalar(std::int64_t{7})}), alice));
    CHECK_FALSE(holds(claim("teams", Kind::Contains, {text("7")}), alice));
    CHECK_FALSE(holds(claim("teams", Kind::Contains, {text("green")}), alice));
    CHECK_FALSE(holds(claim("nested", Kind::Contains, {text("red")}), alice));
    CHECK_FALSE(holds(claim("level", Kind::Contains, {Scalar(std::int64_t{3})}), alice));
  }

  TEST_CASE("contains looks for a whole word of a string, words being parted by single spaces") {
    const auth::Principal alice = make_alice();
    CHECK(holds(claim("scope", Kind::Contains, {text("chat:read")}), alice));
    CHECK(holds(claim("scope", Kind::Contains, {text("chat:write")}), alice));
    CHECK_FALSE(holds(claim("scope", Kind::Contains, {text("chat")}), alice));
    CHECK_FALSE(holds(claim("scope", Kind::Contains, {text("chat:read chat:write")}), alice));
    CHECK_FALSE(holds(claim("scope", Kind::Contains, {text("")}), alice));
    CHECK_FALSE(holds(claim("empty", Kind::Contains, {text("")}), alice));
    const auth::Principal odd = principal("x", R"({"scope":" a  b\tc "})");
    CHECK(holds(claim("scope", Kind::Contains, {text("a")}), odd));
    CHECK(holds(claim("scope", Kind::Contains, {text("b\tc")}), odd));
    CHECK_FALSE(holds(claim("scope", Kind::Contains, {text("b")}), odd));
    CHECK_FALSE(holds(claim("scope", Kind::Contains, {text("")}), odd));
  }

  TEST_CASE("a claim is found by its exact name or by a pointer") {
    const auth::Principal alice = make_alice();
    CHECK(holds(claim("https://example.com/roles", Kind::Contains, {text("editor")}), alice));
    CHECK(holds(claim("/realm/roles", Kind::Contains, {text("admin")}), alice));
    CHECK(holds(claim("/teams/0", Kind::Equals, {text("red")}), alice));
    CHECK_FALSE(holds(claim("realm.roles", Kind::Contains, {text("admin")}), alice));
  }

  TEST_CASE("a missing claim matches nothing, not even null") {
    const auth::Principal alice = make_alice();
    for (const Kind kind : {Kind::Equals, Kind::In, Kind::Contains}) {
      CHECK_FALSE(holds(claim("gone", kind, {Scalar(nullptr)}), alice));
      CHECK_FALSE(holds(claim("gone", kind, {text("")}), alice));
    }
    CHECK(holds(combined(Kind::Not, {claim("gone", Kind::Equals, {text("x")})}), alice));
  }

  TEST_CASE("sub is the subject with its prefix, /sub the token's own claim") {
    const auth::Principal alice = make_alice();
    CHECK(holds(claim("sub", Kind::Equals, {text("idp:alice")}), alice));
    CHECK_FALSE(holds(claim("sub", Kind::Equals, {text("alice")}), alice));
    CHECK(holds(claim("/sub", Kind::Equals, {text("alice")}), alice));
    CHECK(holds(claim("sub", Kind::In, {text("x"), text("idp:alice")}), alice));
    const auth::Principal number = principal("17", R"({"sub":17})");
    CHECK(holds(claim("sub", Kind::Equals, {text("17")}), number));
    CHECK_FALSE(holds(claim("sub", Kind::Equals, {Scalar(std::int64_t{17})}), number));
  }

  TEST_CASE("{name} in values and subjects is what was captured") {
    const auth::Principal alice = make_alice();
    const std::array<Capture, 2> captures = {{{"team", "red"}, {"user", "alice"}}};
    CHECK(holds(claim("teams", Kind::Contains, {text("{team}")}), alice, captures));
    CHECK(holds(subjects({"idp:{user}"}), alice, captures));
    const std::array<Capture, 2> others = {{{"team", "green"}, {"user", "bob"}}};
    CHECK_FALSE(holds(claim("teams", Kind::Contains, {text("{team}")}), alice, others));
    CHECK_FALSE(holds(subjects({"idp:{user}"}), alice, others));
  }

  TEST_CASE("a name that nothing captured matches nothing, not even itself") {
    const auth::Principal sly = principal("{user}", R"({"teams":["{team}"],"t":"{team}"})");
    CHECK_FALSE(holds(claim("teams", Kind::Contains, {text("{team}")}), sly));
    CHECK_FALSE(holds(claim("t", Kind::Equals, {text("{team}")}), sly));
    CHECK_FALSE(holds(subjects({"{user}"}), sly));
  }

  TEST_CASE("what was captured is one value: no second word, no second name") {
    const auth::Principal alice = make_alice();
    const std::array<Capture, 1> words = {{{"word", "chat:read chat:write"}}};
    CHECK_FALSE(holds(claim("scope", Kind::Contains, {text("{word}")}), alice, words));
    const std::array<Capture, 2> names = {{{"a", "{b}"}, {"b", "red"}}};
    CHECK_FALSE(holds(claim("teams", Kind::Contains, {text("{a}")}), alice, names));
  }

  TEST_CASE("a capability grants rooms, so it never holds at a handshake") {
    const auth::Principal alice = principal("alice", R"({"rooms":["*"]})");
    CHECK_FALSE(holds(capability("rooms"), alice));
    CHECK(grants(R"(["*"])", "r"));
    CHECK(holds(combined(Kind::Not, {capability("rooms")}), alice));
  }

  TEST_CASE("a pattern of a capability grants joining and publishing") {
    CHECK(grants(R"(["doc-*","chat"])", "doc-1"));
    CHECK(grants(R"(["doc-*","chat"])", "chat", Publish));
    CHECK_FALSE(grants(R"(["doc-*","chat"])", "chat-1"));
    CHECK_FALSE(grants(R"(["doc-*","chat"])", "other", Publish));
    CHECK_FALSE(grants("[]", "doc-1"));
  }

  TEST_CASE("an entry with 'room' and 'allow' grants what it names") {
    CHECK(grants(R"([{"room":"chat-*","allow":["join"]}])", "chat-7", Join));
    CHECK_FALSE(grants(R"([{"room":"chat-*","allow":["join"]}])", "chat-7", Publish));
    CHECK_FALSE(grants(R"([{"room":"chat-*","allow":["publish"]}])", "chat-7", Join));
    CHECK(grants(R"([{"room":"chat-*","allow":["publish"]}])", "chat-7", Publish));
    CHECK(grants(R"([{"allow":["publish","join"],"room":"chat-*"}])", "chat-7", Join));
    CHECK_FALSE(grants(R"([{"room":"chat-*","allow":["join"]}])", "other", Join));
    CHECK(grants(R"([{"room":"r","allow":["join"]},{"room":"*","allow":["publish"]}])", "r",
                 Publish));
  }

  TEST_CASE("a word of 'allow' that is not known grants nothing and takes nothing") {
    CHECK(grants(R"([{"room":"r","allow":["presence",7,"join"]}])", "r", Join));
    CHECK_FALSE(grants(R"([{"room":"r","allow":["presence",7,"join"]}])", "r", Publish));
    CHECK_FALSE(grants(R"([{"room":"r","allow":["Join","join ","*",""]}])", "r", Join));
    CHECK(grants(R"([{"room":"r","allow":[0,0,0,0,0,0,0,"join"]}])", "r", Join));
    CHECK_FALSE(grants(R"([{"room":"r","allow":[0,0,0,0,0,0,0,0,"join"]}])", "r", Join));
  }

  TEST_CASE("a malformed entry grants nothing, and those beside it what they do") {
    for (const char* entry :
         {"7", "true", "null", R"(["*"])", "{}", R"({"room":"*"})", R"({"allow":["join"]})",
          R"({"room":"*","allow":"join"})", R"({"room":"*","allow":[]})",
          R"({"room":"*","allow":{"join":true}})", R"({"room":["*"],"allow":["join"]})",
          R"({"room":7,"allow":["join"]})", R"({"room":null,"allow":["join"]})",
          R"({"Room":"*","allow":["join"]})", R"({"room":"*","allow":["join"],"until":1790000000})",
          R"({"room":{"room":"*","allow":["join"]},"allow":["join"]})"}) {
      CAPTURE(entry);
      CHECK_FALSE(grants("[" + std::string(entry) + "]", "r"));
      CHECK(grants("[" + std::string(entry) + R"(,"r"])", "r"));
    }
  }

  TEST_CASE("a claim that is no list, or is not there, grants nothing") {
    for (const char* value : {R"("*")", R"("r")", R"({"room":"*","allow":["join"]})", "true", "1",
                              "null", R"({"0":"*"})"}) {
      CAPTURE(value);
      CHECK_FALSE(grants(value, "r"));
    }
    CHECK_FALSE(holds(capability("gone"), principal("alice", "{}"), {}, &join_r));
    CHECK_FALSE(holds(capability("sub"), principal("*", R"({"sub":["*"]})"), {}, &join_r));
    CHECK(holds(capability("/chat/rooms"), principal("a", R"({"chat":{"rooms":["r"]}})"), {},
                &join_r));
  }

  TEST_CASE("a pattern of more than 256 octets grants nothing") {
    const std::string longest(256, '*');
    CHECK(grants("[\"" + longest + "\"]", "r"));
    CHECK_FALSE(grants("[\"*" + longest + "\"]", "r"));
    CHECK_FALSE(grants(R"([{"room":"*)" + longest + R"(","allow":["join"]}])", "r"));
  }

  TEST_CASE("the first 100 entries of a capability count") {
    std::string entries = "[";
    for (int count = 0; count < 99; ++count) entries += "\"x\",";
    CHECK(grants(entries + R"("r"])", "r"));
    CHECK_FALSE(grants(entries + R"(0,"r"])", "r"));
  }

  TEST_CASE("captures do not reach into a capability") {
    const auth::Principal alice = principal("alice", R"({"rooms":["team:{team}"]})");
    const std::array<Capture, 1> captures = {{{"team", "red"}}};
    const RoomRequest request{"team:red", Join};
    CHECK_FALSE(holds(capability("rooms"), alice, captures, &request));
  }

  TEST_CASE("all, any and not ask a capability about the room") {
    const auth::Principal alice = principal("alice", R"({"rooms":["r"]})");
    const RoomRequest other{"other", Join};
    const Condition both = combined(Kind::All, {yes, capability("rooms")});
    CHECK(holds(both, alice, {}, &join_r));
    CHECK_FALSE(holds(both, alice, {}, &other));
    const Condition either = combined(Kind::Any, {no, capability("rooms")});
    CHECK(holds(either, alice, {}, &join_r));
    CHECK_FALSE(holds(either, alice, {}, &other));
    const Condition inverted = combined(Kind::Not, {capability("rooms")});
    CHECK_FALSE(holds(inverted, alice, {}, &join_r));
    CHECK(holds(inverted, alice, {}, &other));
  }

  TEST_CASE("all, any and not") {
    const auth::Principal alice = make_alice();
    CHECK(holds(combined(Kind::All, {yes, yes}), alice));
    CHECK_FALSE(holds(combined(Kind::All, {yes, no}), alice));
    CHECK(holds(combined(Kind::Any, {no, yes}), alice));
    CHECK_FALSE(holds(combined(Kind::Any, {no, no}), alice));
    CHECK(holds(combined(Kind::Not, {no}), alice));
    CHECK_FALSE(holds(combined(Kind::Not, {yes}), alice));
    CHECK(holds(combined(Kind::All, {combined(Kind::Any, {no, yes}), combined(Kind::Not, {no})}),
                alice));
  }

  TEST_CASE("all and any of nothing are nobody") {
    const auth::Principal alice = make_alice();
    CHECK_FALSE(holds(combined(Kind::All, {}), alice));
    CHECK_FALSE(holds(combined(Kind::Any, {}), alice));
  }

  TEST_CASE("the condition that decided: the first that made an all fail or an any hold") {
    const auth::Principal alice = make_alice();
    const Condition all = combined(Kind::All, {yes, no, no});
    CHECK(deciding(all, alice) == &all.children[1]);
    const Condition any = combined(Kind::Any, {no, yes, yes});
    CHECK(deciding(any, alice) == &any.children[1]);
    const Condition deep = combined(Kind::All, {yes, combined(Kind::All, {yes, no})});
    CHECK(deciding(deep, alice) == &deep.children[1].children[1]);
  }

  TEST_CASE("the condition that decided about a room") {
    const auth::Principal alice = principal("alice", R"({"rooms":["r"]})");
    const RoomRequest other{"other", Join};
    const Condition all = combined(Kind::All, {capability("rooms"), yes, no});
    CHECK(deciding(all, alice, {}, &join_r) == &all.children[2]);
    CHECK(deciding(all, alice, {}, &other) == &all.children[0]);
    CHECK(deciding(all, alice) == &all.children[0]);
    const Condition deep =
        combined(Kind::Any, {no, combined(Kind::Any, {no, capability("rooms")}), yes});
    CHECK(deciding(deep, alice, {}, &join_r) == &deep.children[1].children[1]);
    CHECK(deciding(deep, alice, {}, &other) == &deep.children[2]);
  }

  TEST_CASE("where every child decided, or there is none, it is the condition itself") {
    const auth::Principal alice = make_alice();
    const Condition all = combined(Kind::All, {yes, yes});
    CHECK(deciding(all, alice) == &all);
    const Condition any = combined(Kind::Any, {no, no});
    CHECK(deciding(any, alice) == &any);
    const Condition inverted = combined(Kind::Not, {all});
    CHECK(deciding(inverted, alice) == &inverted);
    CHECK(deciding(yes, alice) == &yes);
  }

  TEST_CASE("what an answer may depend on is known before anybody is asked about") {
    using auth::looks_at;
    using auth::LooksAt;
    const Condition plan = claim("plan", Kind::Equals, {text("pro")});
    CHECK(looks_at(of(Kind::Everyone)) == LooksAt::Nothing);
    CHECK(looks_at(of(Kind::Nobody)) == LooksAt::Nothing);
    CHECK(looks_at(subjects({"idp:alice"})) == LooksAt::Subject);
    CHECK(looks_at(claim("sub", Kind::Equals, {text("idp:alice")})) == LooksAt::Subject);
    CHECK(looks_at(plan) == LooksAt::Claims);
    CHECK(looks_at(claim("teams", Kind::Contains, {text("red")})) == LooksAt::Claims);
    CHECK(looks_at(claim("level", Kind::In, {Scalar(std::int64_t{3})})) == LooksAt::Claims);
    CHECK(looks_at(claim("rooms", Kind::Capability, {})) == LooksAt::Claims);
    CHECK(looks_at(combined(Kind::Not, {plan})) == LooksAt::Claims);
    CHECK(looks_at(combined(Kind::Any, {of(Kind::Everyone), plan})) == LooksAt::Claims);
    CHECK(looks_at(combined(Kind::All, {subjects({"x"}), of(Kind::Nobody)})) == LooksAt::Subject);
  }

  TEST_CASE("a condition is described as the policy writes it") {
    const std::pair<Condition, const char*> descriptions[] = {
        {yes, "everyone"},
        {no, "nobody"},
        {subjects({"u-17", "u 23"}), R"({subjects: [u-17, "u 23"]})"},
        {claim("plan", Kind::In, {text("pro"), text("team")}), "{claim: plan, in: [pro, team]}"},
        {claim("n", Kind::Equals, {Scalar(std::int64_t{3})}), R"({claim: "n", equals: 3})"},
        {claim("teams", Kind::Contains, {text("{team}")}), R"({claim: teams, contains: "{team}"})"},
        {claim("/a/b", Kind::Equals, {text("true")}), R"({claim: "/a/b", equals: "true"})"},
        {claim("x", Kind::In, {Scalar(true), Scalar(nullptr), Scalar(1.5), text("1"), text("")}),
         R"({claim: x, in: [true, null, 1.5, "1", ""]})"},
        {claim("https://example.com/roles", Kind::Contains, {text("a\n\"b\"\\")}),
         R"({claim: https://example.com/roles, contains: "a\x0a\"b\"\\"})"},
        {capability("rooms"), "{capability: rooms}"},
        {capability("/chat/open rooms"), R"({capability: "/chat/open rooms"})"},
        {combined(Kind::All, {yes, combined(Kind::Not, {no})}), "{all: [everyone, {not: nobody}]}"},
        {combined(Kind::Any, {yes}), "{any: [everyone]}"},
    };
    for (const auto& [condition, expected] : descriptions) CHECK(describe(condition) == expected);
  }
}
