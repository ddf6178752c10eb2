#include "gateway/explain.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "auth/issue.h"
#include "gateway/policy_file.h"

using namespace gateway;

namespace {

constexpr const char* secret = "a secret of at least thirty-two octets";
const auth::WallTime now{std::chrono::seconds(1'800'000'000)};  // 2027-01-15T08:00:00Z

const Policy& policy() {
  static const std::shared_ptr<const Policy> made = [] {
    auto loaded = parse_policy("policy.yaml",
                               R"(version: 1
listen: [ { address: 127.0.0.1:8080 } ]
trusted_proxies: [10.0.0.0/8]
authenticators:
  users:
    jwt:
      issuer: https://id.example.com/
      audience: [realtime, chat]
      algorithms: [HS256]
      keys: [ { secret: "a secret of at least thirty-two octets" } ]
      max_lifetime: 1h
      require: { email_verified: true }
    credentials: [ { query: token } ]
  web:
    subject_prefix: "w:"
    jwt: { issuer: https://web.example.com/, audience: any, algorithms: [HS256],
           keys: [ { secret: "a secret of at least thirty-two octets" } ] }
    credentials: [ { cookie: session }, { subprotocol: "bearer." }, { header: Authorization } ]
  guests: { anonymous: {} }
backends: { chat: { servers: [ws://127.0.0.1:9001] } }
routes:
  - path: /chat
    hosts: [chat.example.com, localhost]
    authenticate: [users, web]
    origins: ["https://app.example.com"]
    allow:
      any:
        - { claim: plan, in: [pro, team] }
        - { subjects: [root] }
    backend: chat
    limits: { ip: { handshakes: 1/s } }
  - path: /teams/{team}
    authenticate: [users]
    allow: { claim: teams, contains: "{team}" }
    backend: chat
  - path: /open
    authenticate: [guests]
    backend: chat
  - path: /rooms/{tenant}
    authenticate: [users]
    backend: chat
    messages: rooms
    rooms:
      - match: "public-*"
        join: everyone
      - match: "team:{team}"
        join: { all: [ { not: { claim: banned, equals: true } }, { claim: teams, contains: "{team}" } ] }
        publish:
          any:
            - { subjects: [root] }
            - { claim: role, in: [editor, "{tenant}-admin"] }
      - match: "doc-*"
        join: { capability: rooms }
        publish: { capability: rooms }
      - { match: "sealed", publish: everyone }
  - path: /closed
    authenticate: [guests]
)",
                               [](const std::string&) { return std::nullopt; });
    if (!loaded) FAIL(loaded.error().front().to_string());
    return loaded->policy;
  }();
  return *made;
}

std::string token(std::string_view claims) {
  auto made = auth::issue_token(auth::Algorithm::HS256, secret, claims);
  REQUIRE(made);
  return *made;
}

std::string of_users(std::string_view more, int from = 0, int to = 600) {
  auto seconds = now.time_since_epoch().count() / 1000;
  return token(fmt::format(
      R"({{"iss":"https://id.example.com/","aud":"chat","sub":"alice","email_verified":true,"iat":{},"exp":{}{}}})",
      seconds + from, seconds + to, more));
}

std::string of_web() {
  auto seconds = now.time_since_epoch().count() / 1000;
  return token(fmt::format(
      R"({{"iss":"https://web.example.com/","sub":"bob","plan":"pro","iat":{},"exp":{}}})", seconds,
      seconds + 600));
}

Question question(std::string target, std::optional<std::string> token = {},
                  std::optional<std::string> origin = {}) {
  Question asked;
  asked.target = std::move(target);
  asked.token = std::move(token);
  asked.origin = std::move(origin);
  return asked;
}

// The line of that step, without its name.
std::string line(const Explanation& explanation, std::string_view step) {
  std::string_view rest = explanation.text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.starts_with(step)) {
      line.remove_prefix(step.size());
      return std::string(line.substr(std::min(line.find_first_not_of(' '), line.size())));
    }
  }
  return "(none)";
}

std::string verdict(const Explanation& explanation) {
  return explanation.text.substr(0, explanation.text.find('\n'));
}

Explanation explained(const Question& asked) {
  Explanation explanation = explain(policy(), asked, {}, now);
  // Whatever is said, the credential is not.
  if (asked.token) CHECK_FALSE(explanation.text.contains(*asked.token));
  CHECK(explanation.allowed == (verdict(explanation) == "allow"));
  return explanation;
}

Explanation asked_of(const std::string& target, auth::RoomAction action, std::string room,
                     std::optional<std::string> token = {}) {
  Question asked = question(target, std::move(token));
  asked.room = {std::move(room), action};
  return explained(asked);
}

Explanation join(std::string room, std::string_view claims = "") {
  return asked_of("/rooms/acme", auth::RoomAction::Join, std::move(room), of_users(claims));
}

Explanation publish(std::string room, std::string_view claims = "") {
  return asked_of("/rooms/acme", auth::RoomAction::Publish, std::move(room), of_users(claims));
}

}  // namespace

TEST_SUITE("explain") {
  TEST_CASE("what passes is told step by step, with the lines of the policy") {
    auto explanation = explained(question("/chat", of_users(R"(,"plan":"pro")")));
    CHECK(explanation.text ==
          "allow\n"
          "target      /chat\n"
          "route       policy.yaml:22: path /chat\n"
          "origin      policy.yaml:25: none sent, and no cookie is the credential\n"
          "credential  policy.yaml:5: 'users' takes the query parameter 'token': subject 'alice', "
          "good until 2027-01-15T08:10:30Z\n"
          "allow       policy.yaml:28: {claim: plan, in: [pro, team]} holds: 'plan' is \"pro\"\n");
  }

  TEST_CASE("a target that parsers read differently ends it") {
    auto explanation = explained(question("/chat/../admin"));
    CHECK(verdict(explanation) == "deny 400 ambiguous_path");
    CHECK(verdict(explained(question("chat"))) == "deny 400 ambiguous_path");
    CHECK(verdict(explained(question("http://a/chat"))) == "deny 400 ambiguous_path");
  }

  TEST_CASE("a host that is none ends it") {
    Question asked = question("/chat");
    asked.host = "a b";
    CHECK(verdict(explained(asked)) == "deny 400 malformed_request");
  }

  TEST_CASE("no route says for which host and path") {
    auto explanation = explained(question("/nowhere"));
    CHECK(verdict(explanation) == "deny 404 no_route");
    CHECK(line(explanation, "route") ==
          "none of 5 fits host 'localhost' and path '/nowhere' (--host names another host)");
    Question asked = question("/chat");
    asked.host = "Other.example.com:80";
    CHECK(line(explained(asked), "route") ==
          "none of 5 fits host 'Other.example.com:80' and path '/chat'");
  }

  TEST_CASE("an Origin that is not on the list says which list") {
    auto explanation = explained(question("/chat", of_users(""), "https://evil.example"));
    CHECK(verdict(explanation) == "deny 403 origin_not_allowed");
    CHECK(line(explanation, "origin") ==
          "policy.yaml:25: 'https://evil.example' is none of 'origins'");
    CHECK(line(explanation, "credential") == "(none)");
    CHECK(line(explained(question("/chat", of_users(""), "https://app.example.com")), "origin") ==
          "policy.yaml:25: 'https://app.example.com' is one of 'origins'");
    CHECK(line(explained(question("/open", {}, "https://evil.example")), "origin") ==
          "'https://evil.example'; not checked, the route has no 'origins'");
  }

  TEST_CASE("a token is carried where the authenticator of its issuer looks first") {
    auto explanation = explained(question("/chat", of_web()));
    CHECK(verdict(explanation) == "deny 403 origin_missing");
    CHECK(line(explanation, "origin") ==
          "policy.yaml:25: none sent, but the credential is in the cookie 'session' (--origin says "
          "one)");
    explanation = explained(question("/chat", of_web(), "https://app.example.com"));
    CHECK(verdict(explanation) == "allow");
    CHECK(line(explanation, "credential") ==
          "policy.yaml:14: 'web' takes the cookie 'session': subject 'w:bob', good until "
          "2027-01-15T08:10:30Z");
  }

  TEST_CASE("a credential in the target itself is found") {
    auto explanation = explained(question("/chat?x=1&token=" + of_users(R"(,"plan":"pro")")));
    CHECK(verdict(explanation) == "allow");
  }

  TEST_CASE("no credential names the places that were looked at") {
    auto explanation = explained(question("/chat"));
    CHECK(verdict(explanation) == "deny 401 credential_missing");
    CHECK(line(explanation, "credential") ==
          "policy.yaml:22: none in the query parameter 'token', the cookie 'session', the "
          "subprotocol 'bearer.…', the field 'authorization'");
  }

  TEST_CASE("a token that does not verify says which check, and on what") {
    auto why = [](const std::string& token) {
      return line(explained(question("/chat", token)), "credential");
    };
    CHECK(why(of_users("", -600, -60)) ==
          "policy.yaml:5: 'users' refuses the query parameter 'token': expired: 'exp' is "
          "2027-01-15T07:59:00Z, now is 2027-01-15T08:00:00Z");
    CHECK(why(of_users("", 60, 600))
              .ends_with("not_yet_valid: 'nbf' is not there, 'iat' is 2027-01-15T08:01:00Z, now is "
                         "2027-01-15T08:00:00Z"));
    CHECK(why(of_users("", 0, 7200))
              .ends_with("lifetime_too_long: 'iat' is 2027-01-15T08:00:00Z, 'exp' is "
                         "2027-01-15T10:00:00Z, 'max_lifetime' is 1h"));
    CHECK(
        why(token(
                R"({"iss":"https://id.example.com/","aud":["x"],"sub":"alice","exp":1800000600})"))
            .ends_with("wrong_audience: 'aud' is [\"x\"], expected one of realtime, chat"));
    CHECK(why(token(R"({"iss":"https://id.example.com/","aud":"chat","sub":"alice"})"))
              .ends_with("missing_expiry: 'exp' is not there, now is 2027-01-15T08:00:00Z"));
    CHECK(why(token(R"({"iss":"https://id.example.com/","aud":"chat","sub":"","exp":1800000600})"))
              .ends_with("bad_subject: 'sub' is \"\""));
    CHECK(
        why(token(
                R"({"iss":"https://id.example.com/","aud":"chat","sub":"alice","exp":1800000600})"))
            .ends_with("required_claim: 'email_verified' is not there"));
    CHECK(why(token(R"({"iss":"https://other.example.com/","sub":"alice","exp":1800000600})")) ==
          "policy.yaml:22: nobody takes the query parameter 'token': unknown_issuer: 'iss' is "
          "\"https://other.example.com/\"");
    CHECK(why("rubbish").ends_with("malformed"));
    auto altered = of_users("");
    altered[altered.size() - 5] = altered[altered.size() - 5] == 'A' ? 'B' : 'A';
    CHECK(why(altered).ends_with("'users' refuses the query parameter 'token': bad_signature"));
  }

  TEST_CASE("another algorithm says which one the token has") {
    auto made = auth::issue_token(auth::Algorithm::HS512, std::string(64, 's'),
                                  R"({"iss":"https://id.example.com/","exp":1800000600})");
    REQUIRE(made);
    CHECK(line(explained(question("/chat", *made)), "credential")
              .ends_with("algorithm_not_allowed: 'alg' is HS512, expected HS256"));
  }

  TEST_CASE("allow says which condition decided, and what the claim is") {
    auto explanation = explained(question("/teams/red", of_users(R"(,"teams":["blue","green"])")));
    CHECK(verdict(explanation) == "deny 403 not_allowed");
    CHECK(line(explanation, "allow ") ==
          "policy.yaml:34: {claim: teams, contains: \"{team}\"} does not hold: 'teams' is "
          "[\"blue\",\"green\"]");
    CHECK(line(explained(question("/teams/red", of_users(""))), "allow ")
              .ends_with("'teams' is not there"));
  }

  TEST_CASE("a guest is told so, and a token that nobody reads") {
    auto explanation = explained(question("/open"));
    CHECK(verdict(explanation) == "allow");
    CHECK(line(explanation, "credential") == "none: a guest of 'guests'");
    CHECK(line(explanation, "allow ") == "policy.yaml:36: everyone");
    CHECK(line(explained(question("/open", of_users(""))), "token") ==
          "not looked at: no authenticator of the route reads one");
  }

  TEST_CASE("an address says how limits count it") {
    Question asked = question("/chat");
    asked.address = proxy::IpAddress::parse("2001:db8::1:2:3:4");
    CHECK(line(explained(asked), "address") ==
          "2001:db8::1:2:3:4; the limits of 'ip' are counted by the running instance as "
          "2001:db8::");
    asked = question("/open");
    asked.address = proxy::IpAddress::parse("10.1.2.3");
    CHECK(line(explained(asked), "address") ==
          "10.1.2.3 is a trusted proxy: limits count who it forwards for; the route has no limits "
          "of 'ip'");
  }

  TEST_CASE("nothing that a token or a question holds reaches a terminal as it is") {
    auto explanation = explained(question("/chat", of_users(R"(,"plan":"a\u001b[2Jb")")));
    CHECK_FALSE(explanation.text.contains('\x1b'));
    CHECK_FALSE(explained(question("/nowhere", {}, "\x1b[2J")).text.contains('\x1b'));
    CHECK_FALSE(explained(question("/chat\x1b[2J")).text.contains('\x1b'));
  }
}

TEST_SUITE("explain of rooms") {
  TEST_CASE("a room that may be joined names the rule and the condition") {
    auto explanation = join("public-news");
    CHECK(explanation.text ==
          "allow\n"
          "target      /rooms/acme\n"
          "route       policy.yaml:39: path /rooms/{tenant}\n"
          "origin      none sent; not checked, the route has no 'origins'\n"
          "credential  policy.yaml:5: 'users' takes the query parameter 'token': subject 'alice', "
          "good until 2027-01-15T08:10:30Z\n"
          "allow       policy.yaml:39: everyone\n"
          "room        policy.yaml:44: 'public-news' matches 'public-*'\n"
          "join        policy.yaml:45: everyone\n");
  }

  TEST_CASE("what is left out is for nobody, in the line of its rule") {
    auto explanation = publish("public-news");
    CHECK(verdict(explanation) == "deny access_denied");
    CHECK(line(explanation, "room") == "policy.yaml:44: 'public-news' matches 'public-*'");
    CHECK(line(explanation, "publish") == "policy.yaml:44: nobody");
    CHECK(line(explanation, "join") == "(none)");
  }

  TEST_CASE("a room that no rule matches is denied by the list") {
    auto explanation = join("ops");
    CHECK(verdict(explanation) == "deny access_denied");
    CHECK(line(explanation, "room") == "policy.yaml:43: none of 4 rules matches 'ops'");
    auto closed = asked_of("/closed", auth::RoomAction::Join, "ops");
    CHECK(verdict(closed) == "deny access_denied");
    CHECK(line(closed, "room") == "none of 0 rules matches 'ops'");
  }

  TEST_CASE("the condition that failed is named, and what the claim is") {
    auto explanation = join("team:red", R"(,"teams":["blue"])");
    CHECK(verdict(explanation) == "deny access_denied");
    CHECK(line(explanation, "join") ==
          "policy.yaml:47: {claim: teams, contains: \"{team}\"} does not hold: 'teams' is "
          "[\"blue\"]");
    CHECK(verdict(join("team:blue", R"(,"teams":["blue"])")) == "allow");
    explanation = join("team:blue", R"(,"teams":["blue"],"banned":true)");
    CHECK(line(explanation, "join") ==
          "policy.yaml:47: {not: {claim: banned, equals: true}} does not hold");
  }

  TEST_CASE("captures of the path serve in the rules of rooms") {
    auto explanation = publish("team:red", R"(,"teams":["red"],"role":"acme-admin")");
    CHECK(verdict(explanation) == "allow");
    CHECK(line(explanation, "publish") ==
          "policy.yaml:51: {claim: role, in: [editor, \"{tenant}-admin\"]} holds: 'role' is "
          "\"acme-admin\"");
    explanation = publish("team:red", R"(,"teams":["red"],"role":"other-admin")");
    CHECK(verdict(explanation) == "deny access_denied");
    CHECK(line(explanation, "publish").starts_with("policy.yaml:49: {any: ["));
  }

  TEST_CASE("a capability is asked about the room and the action") {
    constexpr auto rooms = R"(,"rooms":["doc-a*",{"room":"doc-7","allow":["join"]}])";
    CHECK(verdict(join("doc-abc", rooms)) == "allow");
    CHECK(verdict(publish("doc-abc", rooms)) == "allow");
    CHECK(verdict(join("doc-7", rooms)) == "allow");
    auto explanation = publish("doc-7", rooms);
    CHECK(verdict(explanation) == "deny access_denied");
    CHECK(line(explanation, "publish") ==
          "policy.yaml:54: {capability: rooms} does not hold: 'rooms' is "
          "[\"doc-a*\",{\"allow\":[\"join\"],\"room\":\"doc-7\"}]");
  }

  TEST_CASE("who may publish but never join is no member, ever") {
    auto explanation = publish("sealed");
    CHECK(verdict(explanation) == "deny not_a_member");
    CHECK(line(explanation, "publish") == "policy.yaml:55: everyone");
    CHECK(line(explanation, "join") == "policy.yaml:55: nobody");
  }

  TEST_CASE("a name that is none is told so") {
    for (const std::string& room :
         {std::string(), std::string(257, 'r'), std::string("a\nb"), std::string("\xff")}) {
      auto explanation = join(room);
      CHECK(verdict(explanation) == "deny bad_message");
      CHECK(line(explanation, "room") ==
            "is no name: 1 to 256 octets of UTF-8 without control characters");
    }
  }

  TEST_CASE("rooms are not asked about where messages are opaque, or the handshake fails") {
    auto explanation = asked_of("/open", auth::RoomAction::Join, "public-news");
    CHECK(verdict(explanation) == "allow");
    CHECK(line(explanation, "room") ==
          "not checked: the messages of this route are opaque, and pass as they are");
    explanation = asked_of("/rooms/acme", auth::RoomAction::Join, "public-news");
    CHECK(verdict(explanation) == "deny 401 credential_missing");
    CHECK(line(explanation, "room") == "(none)");
  }
}

TEST_SUITE("explaining what is told by a Close") {
  std::string explained(std::string_view path, std::optional<std::string> its = {}) {
    auto loaded = parse_policy("policy.yaml",
                               R"(version: 1
listen: [ { address: 127.0.0.1:8080 } ]
authenticators:
  users:
    jwt: { issuer: https://id.example.com/, audience: any, algorithms: [HS256],
           keys: [ { secret: "a secret of at least thirty-two octets" } ] }
    credentials: [ { first_message: 5s } ]
  fields:
    jwt: { issuer: https://id.example.com/, audience: any, algorithms: [HS256],
           keys: [ { secret: "a secret of at least thirty-two octets" } ] }
  once:
    jwt: { issuer: https://id.example.com/, audience: any, algorithms: [HS256], once: true,
           keys: [ { secret: "a secret of at least thirty-two octets" } ] }
    credentials: [ { ticket: 5s }, { header: Authorization } ]
backends: { chat: { servers: [ws://127.0.0.1:9001] } }
routes:
  - { path: /once, authenticate: [once], backend: chat }
  - { path: /first, authenticate: [users], backend: chat, allow: { claim: plan, equals: pro } }
  - { path: /close, authenticate: [fields], backend: chat, refuse_with: close }
)",
                               [](const std::string&) { return std::nullopt; });
    REQUIRE(loaded);
    return explain(*loaded->policy, question(std::string(path), std::move(its)), {}, now).text;
  }

  TEST_CASE("a first message is a place for a token, and its absence a Close") {
    CHECK(explained("/first", of_users(R"(,"plan":"pro")")).starts_with("allow\n"));
    CHECK(explained("/first", of_users("")).starts_with("deny 4403 not_allowed\n"));
    CHECK(explained("/first", of_users("", -7200, -3600)).starts_with("deny 4401 expired\n"));
    const auto silent = explained("/first");
    CHECK(silent.starts_with("deny 4408 first_message_too_slow\n"));
    CHECK(silent.contains("the client has its 101, and 5s for a first message that has one"));
  }

  TEST_CASE(
      "what serves once is not used up, and whether it has been is for the instances to say") {
    const auto once = explained("/once", of_users(R"(,"jti":"1")"));
    CHECK(once.starts_with("allow\n"));
    CHECK(once.contains("'once' takes the field 'authorization': subject 'alice', good until "));
    CHECK(once.contains(", unless it has been used\n"));
    CHECK(explained("/once", of_users("")).starts_with("deny 401 missing_token_id\n"));
    const auto ticket = explained("/once?ticket=AAAAAAAAAAAAAAAAAAAAAA");
    CHECK(ticket.starts_with("deny 401 ticket_unknown\n"));
    CHECK(ticket.contains("only the instances know"));
  }

  TEST_CASE("refuse_with: close makes a code of the status") {
    CHECK(explained("/close", of_users("")).starts_with("allow\n"));
    CHECK(explained("/close").starts_with("deny 4401 credential_missing\n"));
  }
}
