// Login sessions at the handshake: the cookie alone, what its store says, and nobody asked for
// `explain`.

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/admit.h"
#include "gateway/explain.h"
#include "gateway/policy_file.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace {

const auth::WallTime now{std::chrono::seconds(1'800'000'000)};

// As npm's cookie-signature and cookie write it.
constexpr auto good_cookie = "s%3Ahello.DGDUkGlIkCzPz%2BC0B064FNgHdEjox7ch8tOBGslZ5QI";

const Policy& policy() {
  static const std::shared_ptr<const Policy> made = [] {
    auto loaded = parse_policy("policy.yaml",
                               R"(version: 1
listen: [ { address: 127.0.0.1:8080 } ]
authenticators:
  web:
    subject_prefix: "web:"
    session:
      secret: [ "the secret of today", "tobiiscool" ]
      redis: { url: redis://127.0.0.1:6379/1 }
      subject: /passport/user
      claims: { role: /passport/role }
  users:
    jwt: { issuer: any, audience: any, algorithms: [HS256],
           keys: [ { secret: "a secret of at least thirty-two octets" } ] }
routes:
  - path: /chat
    authenticate: [users, web]
    origins: ["https://app.example.com"]
)",
                               [](const std::string&) { return std::nullopt; });
    if (!loaded) FAIL(loaded.error().front().to_string());
    return loaded->policy;
  }();
  return *made;
}

// Nobody has been asked yet.
Denied denied_at_first(std::string_view cookie, bool with_origin = true) {
  const std::string field = "connect.sid=" + std::string(cookie);
  std::vector<auth::Field> fields{{"cookie", field}};
  if (with_origin) fields.push_back({"origin", "https://app.example.com"});
  auto decision = decide(policy(), {"localhost", "/chat", "", fields}, {}, now);
  REQUIRE_FALSE(decision);
  return decision.error();
}

std::expected<auth::Principal, Denied> after(const SessionStore::Answer& answer) {
  return authenticate_session(denied_at_first(good_cookie), answer, now);
}

}  // namespace

TEST_SUITE("login sessions at the handshake") {
  using Kind = SessionStore::Answer::Kind;

  TEST_CASE("what an application signed names a session, and only its store can tell whose") {
    const auto denied = denied_at_first(good_cookie);
    CHECK(denied.denial == Denial::SessionStoreAway);
    CHECK(denied.session_id == "hello");
    CHECK(denied.authenticator->name == "web");
  }

  TEST_CASE("what it did not sign names none") {
    for (const char* cookie : {"s%3Ahello.DGDUkGlIkCzPz%2BC0B064FNgHdEjox7ch8tOBGslZ5Qj", "hello",
                               "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"}) {
      CAPTURE(cookie);
      const auto denied = denied_at_first(cookie);
      CHECK(denied.denial == Denial::SessionRefused);
      CHECK(denied.reason() == "session_not_signed");
      CHECK(denied.session_id.empty());
    }
  }

  TEST_CASE("its cookie needs an Origin") {
    CHECK(denied_at_first(good_cookie, false).denial == Denial::OriginMissing);
  }

  TEST_CASE("whoever is in the record is let in, with the prefix and the claims") {
    const auto alice =
        after({Kind::Found, R"({"passport":{"user":"alice","role":"editor","mail":"a@b"}})"});
    REQUIRE(alice);
    CHECK(alice->subject == "web:alice");
    CHECK(alice->authenticator == "web");
    CHECK(alice->claims.to_json() == R"({"role":"editor"})");
    CHECK_FALSE(alice->good_until);
  }

  TEST_CASE("a record that is gone, nobody's or none is a refusal with its own name") {
    CHECK(after({Kind::Missing}).error().reason() == "session_missing");
    CHECK(after({Kind::Found, "{}"}).error().reason() == "session_without_subject");
    CHECK(after({Kind::Found, "{"}).error().reason() == "session_malformed");
    CHECK(
        after({Kind::Found, R"({"cookie":{"expires":"2020-01-01T00:00:00Z"}})"}).error().reason() ==
        "session_ended");
    CHECK(after({Kind::Missing}).error().denial == Denial::SessionRefused);
  }

  TEST_CASE("a store that is away lets nobody in") {
    const auto denied = after({Kind::Away});
    REQUIRE_FALSE(denied);
    CHECK(denied.error().denial == Denial::SessionStoreAway);
    CHECK(denied.error().reason() == "session_store_away");
  }

  TEST_CASE("explain says what the cookie says, and that nobody was asked") {
    Question question;
    question.target = "/chat";
    question.origin = "https://app.example.com";
    question.token = good_cookie;
    auto explanation = explain(policy(), question, {}, now);
    CHECK_FALSE(explanation.allowed);
    CHECK(explanation.text.starts_with("deny session_not_asked\n"));
    CHECK(explanation.text.contains("policy.yaml:4: 'web' takes the cookie 'connect.sid'"));
    CHECK_FALSE(explanation.text.contains("hello"));
    question.token = "s%3Ahello.x";
    explanation = explain(policy(), question, {}, now);
    CHECK(explanation.text.starts_with("deny 401 session_not_signed\n"));
  }
}
