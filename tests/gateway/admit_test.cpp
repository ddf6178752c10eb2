#include "gateway/admit.h"

#include <set>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "auth/fingerprint.h"
#include "auth/grant.h"
#include "auth/issue.h"
#include "gateway/policy_file.h"

using namespace gateway;

namespace {

constexpr const char* secret_a = "the secret of issuer a, 32 octets!";
constexpr const char* secret_b = "the secret of issuer b, 32 octets!";
constexpr const char* secret_c = "the secret of anybody, 32 octets!!";
const auth::WallTime now{std::chrono::seconds(1'800'000'000)};

const Policy& policy() {
  static const std::shared_ptr<const Policy> made = [] {
    auto loaded = parse_policy("policy.yaml",
                               R"(version: 1
listen: [ { address: 127.0.0.1:8080 } ]
authenticators:
  a:
    subject_prefix: "a:"
    jwt: { issuer: https://a.example/, audience: any, algorithms: [HS256],
           keys: [ { secret: "the secret of issuer a, 32 octets!" } ] }
    credentials: [ { header: Authorization }, { cookie: token } ]
  b:
    subject_prefix: "b:"
    jwt: { issuer: https://b.example/, audience: any, algorithms: [HS256],
           keys: [ { secret: "the secret of issuer b, 32 octets!" } ] }
    credentials: [ { header: Authorization }, { query: token } ]
  t:
    subject_prefix: "t:"
    jwt: { issuer: https://t.example/, audience: any, algorithms: [HS256], max_lifetime: 1h,
           keys: [ { secret: "the secret of issuer a, 32 octets!" } ] }
    credentials: [ { cookie: t }, { ticket: 10s } ]
  anybody:
    subject_prefix: "c:"
    jwt: { issuer: any, audience: any, algorithms: [HS256],
           keys: [ { secret: "the secret of anybody, 32 octets!!" } ] }
  guests: { anonymous: {} }
backends: { chat: { servers: [ws://127.0.0.1:9001] } }
routes:
  - path: /closed
    authenticate: [a, b]
    origins: ["https://app.example.com"]
    backend: chat
  - path: /open
    authenticate: [b, guests]
    backend: chat
  - path: /any
    authenticate: [anybody, a]
    origins: ["*"]
    backend: chat
  - path: /teams/{team}
    authenticate: [b]
    allow:
      all:
        - { claim: plan, equals: pro }
        - { claim: teams, contains: "{team}" }
    backend: chat
  - path: /tickets/*
    authenticate: [t, b]
    origins: ["*"]
    backend: chat
  - path: /guests
    authenticate: [guests]
    allow: nobody
    backend: chat
)",
                               [](const std::string&) { return std::nullopt; });
    if (!loaded) FAIL(loaded.error().front().to_string());
    return loaded->policy;
  }();
  return *made;
}

std::string token(std::string_view issuer, const char* secret, std::string_view more = "",
                  int lifetime = 600) {
  auto iat = now.time_since_epoch().count() / 1000;
  auto made = auth::issue_token(auth::Algorithm::HS256, secret,
                                fmt::format(R"({{"iss":"{}","sub":"alice","iat":{},"exp":{}{}}})",
                                            issuer, iat, iat + lifetime, more));
  REQUIRE(made);
  return *made;
}

std::string token_a() { return token("https://a.example/", secret_a); }
std::string token_b(std::string_view more = "") {
  return token("https://b.example/", secret_b, more);
}

std::string token_for_ticket() { return token("https://t.example/", secret_a); }

using OwnedField = std::pair<std::string, std::string>;  // name and value

struct Request {
  std::string path;
  std::vector<OwnedField> fields;
  std::string query;
};

std::expected<Admitted, Denied> ask(const Request& request) {
  std::vector<auth::Field> fields;
  for (const auto& [name, value] : request.fields) fields.push_back({name, value});
  return decide(policy(), {"localhost", request.path, request.query, fields}, {}, now);
}

// The reason; "subject" where it passes.
std::string answer(const Request& request) {
  auto decision = ask(request);
  return decision ? decision->principal.subject : std::string(decision.error().reason());
}

OwnedField bearer(const std::string& token) { return {"authorization", "Bearer " + token}; }

const OwnedField good_origin{"Origin", "https://app.example.com"};
const OwnedField bad_origin{"Origin", "https://evil.example.com"};

}  // namespace

TEST_SUITE("Origin (RFC 6455 section 10.2)") {
  TEST_CASE("one that is on the list passes, one that is not does not, whatever the credential") {
    CHECK(answer({"/closed", {good_origin, bearer(token_a())}, ""}) == "a:alice");
    CHECK(answer({"/closed", {bad_origin, bearer(token_a())}, ""}) == "origin_not_allowed");
    CHECK(answer({"/closed", {{"Origin", "null"}, bearer(token_a())}, ""}) == "origin_not_allowed");
    CHECK(answer({"/closed", {{"origin", ""}, bearer(token_a())}, ""}) == "origin_not_allowed");
  }

  TEST_CASE("it may be missing where no cookie is the credential") {
    CHECK(answer({"/closed", {bearer(token_a())}, ""}) == "a:alice");
    CHECK(answer({"/closed", {}, "token=" + token_b()}) == "b:alice");
    CHECK(answer({"/closed", {{"cookie", "token=" + token_a()}}, ""}) == "origin_missing");
    CHECK(answer({"/closed", {{"cookie", "token=rubbish"}}, ""}) == "origin_missing");
    CHECK(answer({"/closed", {{"cookie", "token=" + token_a()}, good_origin}, ""}) == "a:alice");
    // The field is before the cookie, so that the cookie decides nothing.
    CHECK(answer({"/closed", {{"cookie", "token=x"}, bearer(token_a())}, ""}) == "a:alice");
  }

  TEST_CASE("two of them are none that is allowed") {
    CHECK(answer({"/closed", {good_origin, good_origin, bearer(token_a())}, ""}) ==
          "origin_not_allowed");
  }

  TEST_CASE("it is asked before the credential") {
    CHECK(answer({"/closed", {bad_origin}, ""}) == "origin_not_allowed");
    CHECK(answer({"/closed", {good_origin}, ""}) == "credential_missing");
    CHECK(answer({"/closed", {bad_origin, bearer("rubbish")}, ""}) == "origin_not_allowed");
  }

  TEST_CASE("a route without a list does not ask") {
    CHECK(answer({"/open", {bad_origin, bearer(token_b())}, ""}) == "b:alice");
  }

  TEST_CASE("a denial knows the line of the list") {
    auto decision = ask({"/closed", {bad_origin}, ""});
    REQUIRE_FALSE(decision);
    CHECK(decision.error().line == 28);
  }
}

TEST_SUITE("which credential decides") {
  TEST_CASE("the token's iss chooses among those that look where it was") {
    CHECK(answer({"/closed", {bearer(token_a())}, ""}) == "a:alice");
    CHECK(answer({"/closed", {bearer(token_b())}, ""}) == "b:alice");
    CHECK(answer({"/closed", {good_origin, {"cookie", "token=" + token_b()}}, ""}) ==
          "unknown_issuer");  // b does not look into cookies
    CHECK(answer({"/closed", {}, "token=" + token_a()}) == "unknown_issuer");
    CHECK(answer({"/closed", {bearer(token("https://c.example/", secret_a))}, ""}) ==
          "unknown_issuer");
  }

  TEST_CASE("the keys of the one chosen are tried, no other's") {
    CHECK(answer({"/closed", {bearer(token("https://a.example/", secret_b))}, ""}) ==
          "bad_signature");
    CHECK(answer({"/closed", {bearer(token("https://b.example/", secret_a))}, ""}) ==
          "bad_signature");
  }

  TEST_CASE("an authenticator for any issuer takes those that no other claims") {
    CHECK(answer({"/any", {bearer(token("https://z.example/", secret_c))}, ""}) == "c:alice");
    CHECK(answer({"/any", {bearer(token_a())}, ""}) == "a:alice");
    CHECK(answer({"/any", {bearer(token("https://a.example/", secret_c))}, ""}) == "bad_signature");
  }

  TEST_CASE("the first place that holds something decides, good or bad") {
    CHECK(answer({"/closed", {bearer("rubbish")}, "token=" + token_b()}) == "malformed");
    CHECK(answer({"/closed", {bearer(token_a())}, "token=rubbish"}) == "a:alice");
  }

  TEST_CASE("the same place twice, another scheme, and nothing have their names") {
    CHECK(answer({"/closed", {bearer(token_a()), bearer(token_a())}, ""}) ==
          "credential_ambiguous");
    CHECK(answer({"/closed", {{"authorization", "Basic YTpi"}}, ""}) == "credential_malformed");
    CHECK(answer({"/closed", {}, ""}) == "credential_missing");
  }

  TEST_CASE("a denied token says which check failed, and whose") {
    auto iat = now.time_since_epoch().count() / 1000;
    auto expired = auth::issue_token(
        auth::Algorithm::HS256, secret_a,
        fmt::format(R"({{"iss":"https://a.example/","sub":"alice","iat":{},"exp":{}}})", iat - 600,
                    iat - 60));
    auto decision = ask({"/closed", {bearer(*expired)}, ""});
    REQUIRE_FALSE(decision);
    CHECK(decision.error().denial == Denial::TokenRefused);
    CHECK(decision.error().token_error == auth::TokenError::Expired);
    CHECK(decision.error().reason() == "expired");
    REQUIRE(decision.error().authenticator);
    CHECK(decision.error().authenticator->name == "a");
  }
}

TEST_SUITE("guests") {
  TEST_CASE("who brings nothing is a guest with a subject of his own") {
    std::set<std::string> subjects;
    for (int i = 0; i < 100; ++i) {
      auto decision = ask({"/open", {}, ""});
      REQUIRE(decision);
      const auth::Principal& guest = decision->principal;
      CHECK(guest.subject.starts_with("anonymous:"));
      CHECK(guest.subject.size() == 10 + 32);
      CHECK(guest.authenticator == "guests");
      CHECK_FALSE(guest.good_until);
      subjects.insert(guest.subject);
    }
    CHECK(subjects.size() == 100);
  }

  TEST_CASE("a credential that is bad never becomes a guest") {
    CHECK(answer({"/open", {bearer("rubbish")}, ""}) == "malformed");
    CHECK(answer({"/open", {bearer("")}, ""}) != "");
    CHECK(ask({"/open", {bearer("")}, ""}).has_value() == false);
    CHECK(answer({"/open", {}, "token="}) != "");
    CHECK(answer({"/open", {{"authorization", "Basic YTpi"}}, ""}) == "credential_malformed");
    CHECK(answer({"/open", {bearer(token_b()), bearer(token_b())}, ""}) == "credential_ambiguous");
  }

  TEST_CASE("a route without them takes none") {
    CHECK(answer({"/any", {}, ""}) == "credential_missing");
  }
}

TEST_SUITE("route and allow") {
  TEST_CASE("no route is the first thing said") {
    CHECK(answer({"/nowhere", {bad_origin, bearer("rubbish")}, ""}) == "no_route");
  }

  TEST_CASE("captures of the path serve in allow") {
    auto pro = [](std::string_view teams) {
      return bearer(token_b(fmt::format(R"(,"plan":"pro","teams":{})", teams)));
    };
    CHECK(answer({"/teams/red", {pro(R"(["blue","red"])")}, ""}) == "b:alice");
    CHECK(answer({"/teams/red", {pro(R"(["blue"])")}, ""}) == "not_allowed");
    CHECK(answer({"/teams/red", {pro(R"(["{team}"])")}, ""}) == "not_allowed");
  }

  TEST_CASE("a denial names the innermost condition that decided, and its line") {
    auto decision = ask({"/teams/red", {bearer(token_b(R"(,"plan":"pro","teams":[])"))}, ""});
    REQUIRE_FALSE(decision);
    CHECK(decision.error().denial == Denial::NotAllowed);
    REQUIRE(decision.error().condition);
    CHECK(auth::describe(*decision.error().condition) == "{claim: teams, contains: \"{team}\"}");
    CHECK(decision.error().line == 42);
  }

  TEST_CASE("allow is asked last, of guests too") {
    CHECK(answer({"/guests", {}, ""}) == "not_allowed");
    CHECK(answer({"/teams/red", {bearer("rubbish")}, ""}) == "malformed");
  }
}

TEST_SUITE("another token for a connection that is open") {
  const Route& route_at(std::string_view path) {
    return *find_route(policy(), "localhost", path).route;
  }

  // The reason; "subject" where it may take the other's place.
  std::string refresh(std::string_view path, const Bearer& bearer, const std::string& token) {
    auto again = authenticate_again(route_at(path), bearer, token, {}, now);
    return again ? again->subject : std::string(again.error().reason());
  }

  Bearer alice_of_b() {
    return {"b:alice", "https://b.example/", policy().authenticators.at("b").get()};
  }

  TEST_CASE("of the same subject and issuer it is taken, wherever the handshake had the first") {
    CHECK(refresh("/closed", alice_of_b(), token_b(R"(,"plan":"pro")")) == "b:alice");
  }

  TEST_CASE("of another subject, or by another issuer of the route, it is somebody else's") {
    Bearer bob = alice_of_b();
    bob.subject = "b:bob";
    CHECK(refresh("/closed", bob, token_b()) == "principal_changed");
    CHECK(refresh("/closed", alice_of_b(), token_a()) == "principal_changed");
    const Bearer guest{"anonymous:17", "", policy().authenticators.at("guests").get()};
    CHECK(refresh("/open", guest, token_b()) == "principal_changed");
  }

  TEST_CASE("of the same subject by another issuer it is somebody else's, whoever verifies both") {
    const Bearer alice{"c:alice", "https://c.example/",
                       policy().authenticators.at("anybody").get()};
    CHECK(refresh("/any", alice, token("https://c.example/", secret_c)) == "c:alice");
    CHECK(refresh("/any", alice, token("https://d.example/", secret_c)) == "principal_changed");
  }

  TEST_CASE("one that does not verify says why, and whose it would have been does not matter") {
    CHECK(refresh("/closed", alice_of_b(), "rubbish") == "malformed");
    CHECK(refresh("/closed", alice_of_b(), "") == "malformed");
    CHECK(refresh("/closed", alice_of_b(), std::string(8193, 'a')) == "too_long");
    CHECK(refresh("/closed", alice_of_b(), token("https://b.example/", secret_a)) ==
          "bad_signature");
    CHECK(refresh("/closed", alice_of_b(), token("https://b.example/", secret_b, "", -60)) ==
          "expired");
    CHECK(refresh("/closed", alice_of_b(), token("https://x.example/", secret_b)) ==
          "unknown_issuer");
    CHECK(refresh("/guests", {"anonymous:17", "", nullptr}, token_b()) == "unknown_issuer");
  }
}

TEST_SUITE("CONTRACT 6: a ticket") {
  const Route& ticket_route() { return *find_route(policy(), "localhost", "/tickets/a").route; }

  auth::Grant good_grant() {
    auto token = auth::parse_token(token_for_ticket());
    auth::Principal principal{.subject = "t:alice",
                              .authenticator = "t",
                              .issuer = {},
                              .token_id = {},
                              .claims = token->claims,
                              .issued_at = {},
                              .good_until = now + std::chrono::minutes(10)};
    return {ticket_route().key, "/tickets/a", std::move(principal)};
  }

  std::string redeemed(const auth::Grant& grant, std::string_view path = "/tickets/a") {
    auto principal = redeem(ticket_route(), path, auth::write_grant(grant), now);
    return principal ? principal->subject : std::string(principal.error().reason());
  }

  TEST_CASE("opens what it was made for, for whom it was made, to the end of their token") {
    const auto principal =
        redeem(ticket_route(), "/tickets/a", auth::write_grant(good_grant()), now);
    REQUIRE(principal);
    CHECK(principal->subject == "t:alice");
    CHECK(principal->issuer == "https://t.example/");
    CHECK(principal->good_until == now + std::chrono::minutes(10));
    CHECK(principal->issued_at == now);
    CHECK_FALSE(principal->single_use);
  }

  TEST_CASE("opens no other path or route, and nothing for who may not have one there") {
    CHECK(redeemed(good_grant(), "/tickets/b") == "ticket_elsewhere");
    auto grant = good_grant();
    grant.route = "0123456789abcdef";
    CHECK(redeemed(grant) == "ticket_elsewhere");
    grant = good_grant();
    grant.principal.authenticator = "b";
    CHECK(redeemed(grant) == "ticket_elsewhere");
    grant.principal.authenticator = "a";
    CHECK(redeemed(grant) == "ticket_elsewhere");
  }

  TEST_CASE("opens nothing where another policy has not the key or the prefix of its subject") {
    auto grant = good_grant();
    grant.principal.key = auth::fingerprint_of("a key that is gone, 32 octets long");
    CHECK(redeemed(grant) == "ticket_elsewhere");
    grant.principal.key = auth::fingerprint_of(secret_a);
    CHECK(redeemed(grant) == "t:alice");
    grant.principal.subject = "alice";
    CHECK(redeemed(grant) == "ticket_elsewhere");
  }

  TEST_CASE("says no more than a token could, whoever wrote it") {
    CHECK(std::string(redeem(ticket_route(), "/tickets/a", "{}", now).error().reason()) ==
          "ticket_unknown");
    auto grant = good_grant();
    grant.principal.good_until = now;
    CHECK(redeemed(grant) == "ticket_unknown");
    grant.principal.good_until = now + std::chrono::hours(1) + std::chrono::seconds(30);
    CHECK(redeemed(grant) == "t:alice");
    *grant.principal.good_until += std::chrono::milliseconds(1);
    CHECK(redeemed(grant) == "ticket_unknown");
    grant = good_grant();
    grant.principal.claims = auth::parse_token(token_b())->claims;
    CHECK(redeemed(grant) == "ticket_unknown");
  }

  TEST_CASE("is known to nobody who asks for it without the instance, and no token stands in it") {
    CHECK(answer({"/tickets/a", {}, "ticket=AAAAAAAAAAAAAAAAAAAAAA"}) == "ticket_unknown");
    CHECK(answer({"/tickets/a", {}, "ticket=" + token_for_ticket()}) == "ticket_unknown");
    CHECK(answer({"/tickets/a", {{"cookie", "t=" + token_for_ticket()}, good_origin}, ""}) ==
          "t:alice");
  }
}
