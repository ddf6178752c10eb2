#include "gateway/authorization.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "auth/base64url.h"
#include "auth/issue.h"
#include "auth/single_use.h"
#include "gateway/policy_file.h"
#include "tests/auth/signing.h"
#include "tests/fakes/own_resource_host.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr proxy::Instant start{proxy::MonotonicTime(1'000h),
                               proxy::WallTime(std::chrono::seconds(1'800'000'000))};

std::shared_ptr<const Policy> policy() {
  static const auto made = [] {
    auto loaded = parse_policy("policy.yaml", R"(version: 1
listen: [ { address: 127.0.0.1:8080 } ]
authenticators:
  users:
    jwt: { issuer: us, audience: any, algorithms: [HS256],
           keys: [ { secret: "the secret of the users, 32 octets" } ] }
    credentials: [ { header: Authorization }, { cookie: session }, { query: token },
                   { subprotocol: "bearer." } ]
  late:
    jwt: { issuer: late, audience: any, algorithms: [HS256],
           keys: [ { secret: "the secret of the late, 32 octets." } ] }
    credentials: [ { header: Authorization }, { first_message: 5s } ]
  fetched: { jwt: { issuer: a, audience: any, algorithms: [RS256],
                    keys: [ { jwks_url: https://a.example/ } ] } }
  once: { jwt: { issuer: us, audience: any, algorithms: [HS256], once: true,
                 keys: [ { secret: "the secret of the users, 32 octets" } ] } }
  guests: { anonymous: {} }
  web: { session: { secret: tobiiscool, redis: { url: redis://127.0.0.1:6379/1 }, subject: /user,
                    claims: { role: /role } } }
routes:
  - { path: /web, authenticate: [web], origins: ["https://app.example.com"],
      allow: { claim: role, equals: editor } }
  - { path: /app, authenticate: [users], origins: ["https://app.example.com"] }
  - { path: "/teams/{team}", authenticate: [users], origins: ["*"],
      allow: { claim: teams, contains: "{team}" } }
  - { path: /host, hosts: [closed.example], authenticate: [users], origins: ["*"],
      forward_claims: [role] }
  - { path: /host, hosts: [open.example], authenticate: [guests] }
  - { path: /limited, authenticate: [guests],
      limits: { ip: { handshakes: 1/s, burst: 2, connections: 1 } } }
  - { path: /late, authenticate: [late, guests] }
  - { path: /fetched, authenticate: [fetched] }
  - { path: /once, authenticate: [once] }
)",
                               [](const std::string&) { return std::nullopt; });
    REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().front().to_string()));
    return loaded->policy;
  }();
  return made;
}

std::string token(std::string_view more = "", std::string_view subject = "alice") {
  auto made = auth::issue_token(
      auth::Algorithm::HS256, "the secret of the users, 32 octets",
      fmt::format(R"({{"iss":"us","sub":"{}","iat":1799999990,"exp":1800000600{}}})", subject,
                  more));
  REQUIRE(made);
  return *made;
}

using OwnedField = std::pair<std::string, std::string>;

// One request of a proxy, and its answer.
struct Request final : OwnResource::Observer {
  bool trusted = true;
  std::string method = "GET";
  std::string host = "proxy";
  std::string address = "192.0.2.7";
  std::vector<OwnedField> fields;

  explicit Request(std::string_view about, std::vector<OwnedField> more = {})
      : fields{{"X-Original-URI", std::string(about)}} {
    fields.insert(fields.end(), more.begin(), more.end());
  }

  // Not asked about by the name of nginx.
  static Request forwarded(std::vector<OwnedField> fields) {
    Request request("");
    request.fields = std::move(fields);
    return request;
  }

  void ask(OwnResourceHost& host_of_it) {
    OwnCall call;
    call.policy = policy();
    call.identity.id.fill('7');
    call.identity.address = *proxy::IpAddress::parse(address);
    call.peer_trusted = trusted;
    call.head.method = method;
    if (!host.empty()) call.head.fields.add("Host", host);
    for (const auto& [name, value] : fields) call.head.fields.add(name, value);
    resource = std::make_unique<Authorization>(host_of_it, std::move(call));
    answer = resource->ask(*this);
  }
  void on_answer(OwnAnswer given) override { answer = std::move(given); }

  std::unique_ptr<Authorization> resource;
  std::optional<OwnAnswer> answer;
};

// "status reason"; 204 and who it is, where it passes.
std::string said(const std::optional<OwnAnswer>& answer) {
  if (!answer) return "waits";
  if (answer->status != 204) return fmt::format("{} {}", answer->status, answer->refusal);
  constexpr std::string_view name = "X-Gatehouse-Subject: ";
  const auto at = answer->text.find(name) + name.size();
  return "204 " + answer->text.substr(at, answer->text.find('\r', at) - at);
}

std::string answer(Request request) {
  OwnResourceHost host(start);
  request.ask(host);
  return said(request.answer);
}

OwnedField bearer(const std::string& token) { return {"Authorization", "Bearer " + token}; }
OwnedField cookie(const std::string& token) { return {"Cookie", "a=b; session=" + token}; }

}  // namespace

TEST_SUITE("Forward authentication: who is asked for") {
  TEST_CASE("is told in the fields that a backend would get, and in no other") {
    OwnResourceHost host(start);
    Request request("/app", {bearer(token(R"(,"role":"editor")", "a b:c"))});
    request.ask(host);
    CHECK(request.answer->text ==
          "HTTP/1.1 204 No Content\r\nConnection: close\r\nCache-Control: no-store\r\n"
          "X-Gatehouse-Subject: a%20b:c\r\nX-Gatehouse-Claims: " +
              auth::base64url_encode(R"({"exp":1800000600,"iat":1799999990,"iss":"us",)"
                                     R"("role":"editor","sub":"a b:c"})") +
              "\r\n\r\n");
    CHECK(request.answer->refusal == "");
  }

  TEST_CASE("has the claims that the route forwards, unless they are too long") {
    OwnResourceHost host(start);
    Request some("/host", {bearer(token(R"(,"role":"editor","x":1)"))});
    some.host = "closed.example";
    some.ask(host);
    CHECK(some.answer->text.contains(
        "X-Gatehouse-Claims: " + auth::base64url_encode(R"({"role":"editor"})") + "\r\n"));
    Request many("/app", {bearer(token(R"(,"x":")" + std::string(4'000, 'x') + '"'))});
    many.ask(host);
    CHECK(said(many.answer) == "204 alice");
    CHECK_FALSE(many.answer->text.contains("X-Gatehouse-Claims"));
    const auto lines = host.logged();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].contains("claims_left_out"));
  }

  TEST_CASE("is told to trusted proxies alone; others hear what there is below any path: nothing") {
    Request foreign("/app", {bearer(token())});
    foreign.trusted = false;
    CHECK(answer(std::move(foreign)) == "404 no_route");
    CHECK(answer(Request("/app", {bearer(token())})) == "204 alice");
  }

  TEST_CASE("is asked by GET") {
    for (const auto* method : {"POST", "HEAD", "OPTIONS", "get"}) {
      Request other("/app", {bearer(token())});
      other.method = method;
      CHECK(answer(std::move(other)) == "404 no_route");
    }
  }
}

TEST_SUITE("Forward authentication: the request that is asked about") {
  TEST_CASE("has to be named") {
    CHECK(answer(Request::forwarded({bearer(token())})) == "400 malformed_request");
    CHECK(answer(Request("/app", {{"X-Forwarded-Uri", "/host"}, bearer(token())})) ==
          "400 malformed_request");
    CHECK(answer(Request::forwarded({{"X-Forwarded-Uri", "/app"}, bearer(token())})) ==
          "204 alice");
  }

  TEST_CASE("is at a host, and at another one there may be another route") {
    const auto at = [](const char* host) {
      return Request::forwarded({{"X-Forwarded-Uri", "/host"}, {"X-Forwarded-Host", host}});
    };
    CHECK(answer(at("closed.example")) == "401 credential_missing");
    CHECK(answer(at("open.example:443")).starts_with("204 anonymous:"));
    CHECK(answer(at("other.example")) == "403 no_route");
    Request nobody_says("/host");
    nobody_says.host = "";
    CHECK(answer(std::move(nobody_says)) == "403 no_route");
    Request for_all_hosts("/app", {bearer(token())});
    for_all_hosts.host = "";
    CHECK(answer(std::move(for_all_hosts)) == "204 alice");
  }

  TEST_CASE("is at no host of its client's choice") {
    Request request("/host", {{"X-Forwarded-Host", "open.example"}});
    request.host = "closed.example";
    CHECK(answer(std::move(request)) == "401 credential_missing");
  }

  TEST_CASE("that no route is for may not pass, nor one of the gateway's own resources") {
    CHECK(answer(Request("/nothing", {bearer(token())})) == "403 no_route");
    CHECK(answer(Request("/_gatehouse/authorize", {bearer(token())})) == "403 no_route");
  }

  TEST_CASE("SECURITY 20: may not have a path that two read differently") {
    for (const auto* about :
         {"/x/../app", "/x/%2e%2e/app", "/app/..%2fapp", "//app", "/app%5c", "/app%00", "/app%23",
          "/%2561pp", "https://a.example/app", "app", "*", "", "/\xC3\xA4", "/a b"}) {
      CAPTURE(about);
      CHECK(answer(Request(about, {bearer(token())})) == "403 ambiguous_path");
    }
    CHECK(answer(Request("/%61pp", {bearer(token())})) == "204 alice");
  }

  TEST_CASE("SECURITY 20: is written down by the path that it asks about, without its query") {
    OwnResourceHost host(start);
    Request request("/%61pp?token=" + token("", "x").substr(3));
    request.ask(host);
    CHECK(request.resource->call().path == "/app");
    CHECK(request.resource->call().identity.audited().route == "/app");
  }
}

TEST_SUITE("Forward authentication: the credential") {
  TEST_CASE("is where the route looks for it: in the fields, and in the query that is named") {
    CHECK(answer(Request("/app?a=b&token=" + token())) == "204 alice");
    CHECK(answer(Request("/app", {{"Sec-WebSocket-Protocol", "chat, bearer." + token()}})) ==
          "204 alice");
    CHECK(answer(Request("/app", {cookie(token()), {"Origin", "https://app.example.com"}})) ==
          "204 alice");
  }

  TEST_CASE("that is missing, twice there or bad is 401") {
    CHECK(answer(Request("/app")) == "401 credential_missing");
    CHECK(answer(Request("/app", {bearer(token()), bearer(token())})) ==
          "401 credential_ambiguous");
    CHECK(answer(Request("/app?token=" + token() + "&token=" + token())) ==
          "401 credential_ambiguous");
    CHECK(answer(Request("/app", {bearer(token() + "A")})) == "401 bad_signature");
    CHECK(answer(Request("/app", {bearer(token(R"(,"nbf":1800001000)"))})) == "401 not_yet_valid");
  }

  TEST_CASE("decides with the path's captures whether `allow` holds") {
    const auto of_red = bearer(token(R"(,"teams":["red"])"));
    CHECK(answer(Request("/teams/red", {of_red})) == "204 alice");
    CHECK(answer(Request("/teams/blue", {of_red})) == "403 not_allowed");
  }

  TEST_CASE("that is revoked is 401") {
    OwnResourceHost host(start);
    const auto now = std::chrono::floor<std::chrono::milliseconds>(start.wall);
    host.revoked.add({"alice", now, now + 1h});
    Request alice("/app", {bearer(token())});
    alice.ask(host);
    CHECK(said(alice.answer) == "401 revoked");
    Request bob("/app", {bearer(token("", "bob"))});
    bob.ask(host);
    CHECK(said(bob.answer) == "204 bob");
  }

  TEST_CASE("is good for nothing while it is not known what is revoked") {
    OwnResourceHost host(start);
    host.revoked.set_loaded(false);
    Request request("/app", {bearer(token())});
    request.ask(host);
    CHECK(said(request.answer) == "503 revocations_not_loaded");
  }

  TEST_CASE("is not waited for: there is no first message, and nobody is a guest for want of one") {
    CHECK(answer(Request("/late")) == "401 credential_missing");
  }
}

TEST_SUITE("Forward authentication: keys by URL") {
  // A token of theirs by the one RSA key or the other.
  OwnedField fetched(std::string_view key_id, const SigningKey& key) {
    const auto input = signing_input(fmt::format(R"({{"alg":"RS256","kid":"{}"}})", key_id),
                                     R"({"iss":"a","sub":"alice","exp":1800000600})");
    return bearer(input + "." + auth::base64url_encode(key.sign(auth::Algorithm::RS256, input)));
  }

  void learn(OwnResourceHost & host, std::string_view key_id, const SigningKey& key) {
    auth::KeySet keys;
    const auto jwk = key.jwk(fmt::format(R"(,"kid":"{}")", key_id));
    REQUIRE(keys.add_fetched_jwk_set(jwk_set(jwk), {auth::Algorithm::RS256}));
    KeyNews news;
    news.authenticator = policy()->authenticators.at("fetched");
    news.keys = std::make_shared<const auth::KeySet>(std::move(keys));
    news.complete = true;
    host.ring.learn(std::move(news));
  }

  TEST_CASE("that never came are 503") {
    CHECK(answer(Request("/fetched", {fetched("1", rsa_key())})) == "503 keys_missing");
  }

  TEST_CASE("a key that is not there may have come since, and is waited for") {
    OwnResourceHost host(start);
    learn(host, "1", rsa_key());
    Request good("/fetched", {fetched("2", other_rsa_key())});
    Request bad("/fetched", {fetched("3", other_rsa_key())});
    Request late("/fetched", {fetched("2", other_rsa_key())});
    for (auto* request : {&good, &bad, &late}) {
      request->ask(host);
      CHECK(said(request->answer) == "waits");
    }
    CHECK(host.keys_asked_for == std::vector<std::string>{"fetched"});
    CHECK(late.resource->give_up().refusal == "unknown_key");
    learn(host, "2", other_rsa_key());
    host.pass(0ms);
    CHECK(said(good.answer) == "204 alice");
    CHECK(said(late.answer) == "waits");
    host.pass(0ms);
    CHECK(said(bad.answer) == "waits");
    CHECK(bad.resource->give_up().status == 401);
  }
}

TEST_SUITE("Forward authentication: a login session of the application") {
  // As npm's cookie-signature writes it.
  const OwnedField logged_in{"Cookie",
                             "connect.sid=s%3Ahello.DGDUkGlIkCzPz%2BC0B064FNgHdEjox7ch8tOBGslZ5QI"};
  const OwnedField forged{"Cookie",
                          "connect.sid=s%3Ahello.DGDUkGlIkCzPz%2BC0B064FNgHdEjox7ch8tOBGslZ5Qj"};
  const OwnedField from_app{"Origin", "https://app.example.com"};

  constexpr auto editor = R"({"cookie":{"expires":null},"user":"alice","role":"editor"})";
  constexpr auto viewer = R"({"cookie":{"expires":null},"user":"alice","role":"viewer"})";

  TEST_CASE("is asked for in its store, which says who it is") {
    OwnResourceHost host(start);
    Request request("/web", {logged_in, from_app});
    request.ask(host);
    CHECK(said(request.answer) == "waits");
    CHECK(host.sessions.asked == std::vector<std::string>{"hello"});
    SUBCASE("and that it may pass") {
      host.sessions.find(editor);
      CHECK(said(request.answer) == "204 alice");
    }
    SUBCASE("and that it may not") {
      host.sessions.find(viewer);
      CHECK(said(request.answer) == "403 not_allowed");
    }
    SUBCASE("or that it is over") {
      host.sessions.miss();
      CHECK(said(request.answer).starts_with("401 "));
    }
    SUBCASE("or nothing") {
      host.sessions.go_away();
      CHECK(said(request.answer) == "503 session_store_away");
    }
    SUBCASE("or nothing in time, and then nobody asks any more") {
      CHECK(request.resource->give_up().status == 503);
      CHECK_FALSE(host.sessions.asker);
    }
  }

  TEST_CASE("whose subject is revoked does not pass") {
    OwnResourceHost host(start);
    const auto now = std::chrono::floor<std::chrono::milliseconds>(start.wall);
    host.revoked.add({"alice", now, now + 1h});
    Request request("/web", {logged_in, from_app});
    request.ask(host);
    host.sessions.find(editor);
    CHECK(said(request.answer) == "401 revoked");
  }

  TEST_CASE(
      "is not asked for where the cookie is forged, and not waited for where nobody can ask") {
    OwnResourceHost host(start);
    Request request("/web", {forged, from_app});
    request.ask(host);
    CHECK(said(request.answer).starts_with("401 "));
    CHECK(host.sessions.asked.empty());
    host.sessions.open = false;
    Request other("/web", {logged_in, from_app});
    other.ask(host);
    CHECK(said(other.answer) == "503 session_store_away");
  }
}

TEST_SUITE("Forward authentication: limits of a client's address") {
  TEST_CASE("count handshakes by the address that the proxy gives, and no connections") {
    OwnResourceHost host(start);
    const auto ask = [&](const char* address) {
      Request request("/limited");
      request.address = address;
      request.ask(host);
      return request.answer->status;
    };
    CHECK(ask("192.0.2.7") == 204);
    CHECK(ask("192.0.2.7") == 204);  // `connections: 1`
    CHECK(ask("192.0.2.7") == 429);
    CHECK(ask("192.0.2.8") == 204);
    host.pass(1s);
    CHECK(ask("192.0.2.7") == 204);
  }
}

TEST_SUITE("Forward authentication: Origin") {
  TEST_CASE("is asked for as of a handshake where a cookie is the credential") {
    const auto with_cookie = [](std::vector<OwnedField> more) {
      more.push_back(cookie(token()));
      return answer(Request("/app", std::move(more)));
    };
    CHECK(with_cookie({{"Origin", "https://app.example.com"}}) == "204 alice");
    CHECK(with_cookie({{"Origin", "https://evil.example"}}) == "403 origin_not_allowed");
    CHECK(with_cookie({{"Origin", "null"}}) == "403 origin_not_allowed");
    CHECK(with_cookie({}) == "403 origin_missing");
    CHECK(answer(Request("/app", {bearer(token())})) == "204 alice");
    CHECK(answer(Request("/app", {bearer(token()), {"Origin", "https://evil.example"}})) ==
          "403 origin_not_allowed");
  }

  TEST_CASE(
      "may be missing of what the user or a page of an allowed host asks for, as browsers say") {
    const auto asked = [](std::string_view host, std::vector<OwnedField> more) {
      more.push_back(cookie(token()));
      Request request("/app", std::move(more));
      request.host = host;
      return answer(std::move(request));
    };
    const auto site = [](const char* value) { return OwnedField("Sec-Fetch-Site", value); };
    CHECK(asked("app.example.com", {site("same-origin")}) == "204 alice");
    CHECK(asked("app.example.com:443", {site("same-origin")}) == "204 alice");
    CHECK(asked("other.example.com", {site("none")}) == "204 alice");
    for (const auto* other : {"same-site", "cross-site", "", "SAME-ORIGIN", "none, none"}) {
      CAPTURE(other);
      CHECK(asked("app.example.com", {site(other)}) == "403 origin_missing");
    }
    CHECK(asked("app.example.com", {site("none"), site("none")}) == "403 origin_missing");
    CHECK(asked("app.example.com:8443", {site("same-origin")}) == "403 origin_missing");
    CHECK(asked("user-pages.example.com", {site("same-origin")}) == "403 origin_missing");
    CHECK(asked("", {site("same-origin")}) == "403 origin_missing");
    CHECK(asked("app.example.com", {site("none"), {"Origin", "https://evil.example"}}) ==
          "403 origin_not_allowed");
  }
}

TEST_SUITE("a token that serves once") {
  using Outcome = DepositAnswer::Outcome;

  TEST_CASE("lets one request through, and is asked for behind everything else") {
    OwnResourceHost host(start);
    Request request("/once", {bearer(token(R"(,"jti":"1")"))});
    request.ask(host);
    CHECK(said(request.answer) == "waits");
    CHECK(host.asked<MarkToken>().name == auth::name_of_token("once", "us", "1"));
    host.answer(Outcome::Done);
    CHECK(said(request.answer) == "204 alice");

    for (const auto& [outcome, wanted] : {std::pair(Outcome::NotDone, "401 token_used"),
                                          std::pair(Outcome::Away, "503 single_use_unknown"),
                                          std::pair(Outcome::Full, "503 single_use_full")}) {
      Request again("/once", {bearer(token(R"(,"jti":"1")"))});
      again.ask(host);
      host.answer(outcome);
      CHECK(said(again.answer) == wanted);
    }
    CHECK(answer(Request("/once", {bearer(token())})) == "401 missing_token_id");
    CHECK(answer(Request("/app", {bearer(token(R"(,"jti":"1")"))})) == "204 alice");
  }

  TEST_CASE("lets nobody through whose time is over before there is an answer") {
    OwnResourceHost host(start);
    Request request("/once", {bearer(token(R"(,"jti":"1")"))});
    request.ask(host);
    CHECK(request.resource->give_up().refusal == "single_use_unknown");
    host.answer(Outcome::Done);
    CHECK(said(request.answer) == "waits");
  }
}

}  // namespace tests
