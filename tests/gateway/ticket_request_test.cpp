#include "gateway/ticket_request.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "auth/grant.h"
#include "auth/issue.h"
#include "auth/single_use.h"
#include "gateway/policy_file.h"
#include "tests/fakes/own_resource_host.h"

using namespace gateway;
using namespace std::chrono_literals;
using Outcome = DepositAnswer::Outcome;

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
    credentials: [ { header: Authorization }, { header: X-Token }, { ticket: 20s } ]
  once:
    subject_prefix: "once:"
    jwt: { issuer: once, audience: any, algorithms: [HS256], once: true,
           keys: [ { secret: "the secret of the users, 32 octets" } ] }
    credentials: [ { header: Authorization }, { ticket: 20s } ]
  fetched:
    subject_prefix: "f:"
    jwt: { issuer: a, audience: any, algorithms: [RS256], keys: [ { jwks_url: https://a.example/ } ] }
    credentials: [ { header: Authorization }, { ticket: 20s } ]
  guests: { anonymous: {} }
  web:
    subject_prefix: "web:"
    session: { secret: tobiiscool, redis: { url: redis://127.0.0.1:6379/1 }, subject: /user }
routes:
  - { path: /app, authenticate: [users, once, fetched], origins: ["https://app.example.com"],
      allow: { not: { claim: plan, equals: free } } }
  - { path: /limited, authenticate: [users, guests],
      limits: { ip: { handshakes: 1/m, burst: 1 } } }
  - { path: /other, hosts: [other.example], authenticate: [users], origins: ["https://other.example.com"] }
  - { path: /web, authenticate: [users, web], origins: ["https://app.example.com"] }
)",
                               [](const std::string&) { return std::nullopt; });
    REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().front().to_string()));
    return loaded->policy;
  }();
  return made;
}

// `lifetime`: from now on, with the leeway.
std::string token(std::string_view issuer = "us", std::string_view more = "",
                  std::chrono::seconds lifetime = 600s) {
  auto made =
      auth::issue_token(auth::Algorithm::HS256, "the secret of the users, 32 octets",
                        fmt::format(R"({{"iss":"{}","sub":"alice","iat":1799999000,"exp":{}{}}})",
                                    issuer, 1'800'000'000 + lifetime.count() - 30, more));
  REQUIRE(made);
  return *made;
}

using OwnedField = std::pair<std::string, std::string>;
OwnedField bearer(const std::string& token) { return {"Authorization", "Bearer " + token}; }
const OwnedField page{"Origin", "https://app.example.com"};

// One request of a page, and its answer.
struct Request final : OwnResource::Observer {
  std::string method = "POST";
  std::string host = "gateway.example";
  std::string body = R"({"path":"/app"})";
  std::vector<OwnedField> fields;

  explicit Request(std::vector<OwnedField> more = {}) : fields(std::move(more)) {
    fields.push_back({"Content-Type", "application/json"});
  }

  void ask(OwnResourceHost& host_of_it) {
    OwnCall call;
    call.policy = policy();
    call.identity.id.fill('7');
    call.identity.address = *proxy::IpAddress::parse("192.0.2.7");
    call.head.method = method;
    call.head.target = "/_gatehouse/ticket";
    length = std::to_string(body.size());
    if (!host.empty()) call.head.fields.add("Host", host);
    for (const auto& [name, value] : fields) call.head.fields.add(name, value);
    call.head.fields.add("Content-Length", length);
    resource = std::make_unique<TicketRequest>(host_of_it, std::move(call));
    resource->call().body = body.substr(0, resource->body_octets());
    answer = resource->ask(*this);
  }
  void on_answer(OwnAnswer given) override { answer = std::move(given); }

  bool has(std::string_view field) const {
    return answer && answer->text.contains(fmt::format("\r\n{}\r\n", field));
  }
  // "status reason"
  std::string said() const {
    return answer ? fmt::format("{} {}", answer->status, answer->refusal) : "waits";
  }

  std::unique_ptr<TicketRequest> resource;
  std::optional<OwnAnswer> answer;
  std::string length;
};

std::string said(Request&& request) {
  OwnResourceHost host(start);
  Request asked = std::move(request);  // which goes before its host does
  asked.ask(host);
  return asked.said();
}

}  // namespace

TEST_SUITE("CONTRACT 6: POST /_gatehouse/ticket") {
  TEST_CASE("gives a ticket, of which only a digest is kept, with whom it is for and where") {
    OwnResourceHost host(start);
    Request request({bearer(token()), page});
    request.ask(host);
    CHECK(request.said() == "waits");
    const auto kept = host.asked<KeepTicket>();
    CHECK(kept.kept_for == 20s);
    const auto grant = auth::read_grant(kept.grant);
    REQUIRE(grant);
    CHECK(grant->path == "/app");
    CHECK(grant->route == policy()->routes[0].key);
    CHECK(grant->principal.subject == "alice");
    CHECK(grant->principal.authenticator == "users");
    host.answer(Outcome::Done);
    CHECK(request.said() == "201 ");
    const auto& text = request.answer->text;
    const auto ticket = text.substr(text.find(R"({"ticket":")") + 11, 22);
    CHECK(auth::valid_ticket(ticket));
    CHECK(auth::name_of_ticket(ticket) == kept.name);
    CHECK(text.ends_with(R"(","expires_in":20})"));
    for (const auto* field :
         {"Cache-Control: no-store", "Vary: Origin", "Content-Type: application/json",
          "Access-Control-Allow-Origin: https://app.example.com",
          "Access-Control-Allow-Credentials: true"}) {
      CHECK_MESSAGE(request.has(field), field);
    }
    for (const auto& line : host.logged()) CHECK_FALSE(line.contains(ticket));
  }

  TEST_CASE("gives two requests two tickets, and none that outlives its token") {
    OwnResourceHost host(start);
    Request first({bearer(token("us", "", 5s))});
    Request second({bearer(token("us", "", 5s))});
    first.ask(host);
    second.ask(host);
    const auto one = host.asked<KeepTicket>();
    CHECK(one.kept_for == 5s);
    host.answer(Outcome::Done);
    CHECK(host.asked<KeepTicket>().name != one.name);
    host.answer(Outcome::Done);
    CHECK(first.answer->text.ends_with(R"("expires_in":5})"));
    CHECK(second.said() == "201 ");
  }

  TEST_CASE("collects no tickets: a subject gets so many of a route, and no others for it") {
    OwnResourceHost host(start);
    const auto ask = [&](const std::string& token) {
      Request request({bearer(token)});
      request.ask(host);
      while (!request.answer) host.answer(Outcome::Done);
      return request.said();
    };
    for (int i = 0; i < 32; ++i) CHECK(ask(token()) == "201 ");
    CHECK(ask(token()) == "429 subject_tickets");
    CHECK(ask(token("once", R"(,"jti":"1")")) == "201 ");
    host.pass(500ms);
    CHECK(ask(token()) == "201 ");
    CHECK(ask(token()) == "429 subject_tickets");
    CHECK(host.questions() == 0);  // who is refused uses nothing up
  }

  TEST_CASE("is told what it can be told where nobody keeps it, or can say whether he does") {
    for (const auto& [outcome, status] : {std::pair(Outcome::Away, "503 single_use_unknown"),
                                          std::pair(Outcome::Full, "503 single_use_full"),
                                          std::pair(Outcome::NotDone, "503 single_use_unknown")}) {
      OwnResourceHost host(start);
      Request request({bearer(token()), page});
      request.ask(host);
      host.answer(outcome);
      CHECK(request.said() == status);
      CHECK(request.has("Retry-After: 5"));
      CHECK(request.has("Access-Control-Allow-Origin: https://app.example.com"));
    }
    OwnResourceHost host(start);
    Request request({bearer(token())});
    request.ask(host);
    CHECK(request.resource->give_up().refusal == "single_use_unknown");
    host.answer(Outcome::Done);
    CHECK_FALSE(request.answer);
  }

  TEST_CASE("uses a token up that opens one connection, and only then keeps a ticket") {
    OwnResourceHost host(start);
    Request request({bearer(token("once", R"(,"jti":"1")"))});
    request.ask(host);
    CHECK(host.asked<MarkToken>().name == auth::name_of_token("once", "once", "1"));
    host.answer(Outcome::Done);
    CHECK(request.said() == "waits");
    CHECK(host.asked<KeepTicket>().kept_for == 20s);
    host.answer(Outcome::Done);
    CHECK(request.said() == "201 ");

    Request again({bearer(token("once", R"(,"jti":"1")"))});
    again.ask(host);
    host.answer(Outcome::NotDone);
    CHECK(again.said() == "401 token_used");
    CHECK(host.questions() == 0);
  }

  TEST_CASE("asks what a handshake is asked, in that order") {
    const auto free = token("us", R"(,"plan":"free")");
    const OwnedField evil{"Origin", "https://evil.example"};
    CHECK(said(Request({bearer(token()), evil})) == "403 origin_not_allowed");
    CHECK(said(Request(std::vector{evil})) == "403 origin_not_allowed");
    CHECK(said(Request()) == "401 credential_missing");
    CHECK(said(Request({bearer("x.y.z")})) == "401 malformed");
    CHECK(said(Request({bearer(token("us", "", 0s))})) == "401 expired");
    CHECK(said(Request({bearer(token("once"))})) == "401 missing_token_id");
    CHECK(said(Request({bearer(free)})) == "403 not_allowed");
    OwnResourceHost host(start);
    host.revoked.add(auth::revoke_subject("alice", auth::WallTime(1'799'999'000s),
                                          auth::WallTime(1'800'000'000s), 24h));
    Request revoked({bearer(free)});
    revoked.ask(host);
    CHECK(revoked.said() == "401 revoked");
    Request limited({bearer(token())});
    limited.body = R"({"path":"/limited"})";
    limited.ask(host);
    CHECK(limited.said() == "401 revoked");
    Request over({bearer(token())});
    over.body = limited.body;
    over.ask(host);
    CHECK(over.said() == "429 ip_handshakes");
  }

  TEST_CASE("has nothing for guests, for other routes, or for what is no path") {
    Request guest;
    guest.body = R"({"path":"/limited"})";
    CHECK(said(std::move(guest)) == "403 no_ticket_place");
    OwnResourceHost host(start);
    Request logged_in(
        {{"Cookie", "connect.sid=s%3Ahello.DGDUkGlIkCzPz%2BC0B064FNgHdEjox7ch8tOBGslZ5QI"},
         {"Origin", "https://app.example.com"}});
    logged_in.body = R"({"path":"/web"})";
    logged_in.ask(host);
    CHECK(logged_in.said() == "403 no_ticket_place");
    CHECK(host.sessions.asked.empty());
    for (const auto& [body, status] : std::vector<OwnedField>{
             {R"({"path":"/nothing"})", "404 no_route"},
             {R"({"path":"/other"})", "404 no_route"},
             {R"({"path":"/_gatehouse/ticket"})", "404 no_route"},
             {R"({"path":"/app/../app"})", "400 ambiguous_path"},
             {R"({"path":"/app?x"})", "400 ambiguous_path"},
             {R"({"path":""})", "400 ambiguous_path"},
             {R"({"path":7})", "400 malformed_request"},
             {R"({"path":"/app","path":"/app"})", "400 malformed_request"},
             {R"({"path":"/app","more":1})", "400 malformed_request"},
             {R"(["/app"])", "400 malformed_request"},
             {"", "400 malformed_request"},
             {std::string(own_body_octets_max + 1, ' '), "413 malformed_request"}}) {
      Request request({bearer(token())});
      request.body = body;
      CHECK_MESSAGE(said(std::move(request)) == status, body.substr(0, 80));
    }
    Request other({bearer(token())});
    other.host = "other.example:8080";
    other.body = R"({"path":"/other"})";
    CHECK(said(std::move(other)) == "waits");
    Request nameless({bearer(token())});
    nameless.host = "";
    CHECK(said(std::move(nameless)) == "400 malformed_request");
  }

  TEST_CASE("is no form, and asked for by POST") {
    for (const auto* type : {"text/plain", "application/jsonp", "multipart/form-data"}) {
      Request request({bearer(token())});
      request.fields.back().second = type;
      CHECK(said(std::move(request)) == "415 malformed_request");
    }
    Request twice({bearer(token()), {"Content-Type", "text/plain"}});
    CHECK(said(std::move(twice)) == "415 malformed_request");
    Request charset({bearer(token())});
    charset.fields.back().second = "Application/JSON ; charset=utf-8";
    CHECK(said(std::move(charset)) == "waits");
    OwnResourceHost host(start);
    Request get({bearer(token())});
    get.method = "GET";
    get.ask(host);
    CHECK(get.said() == "405 malformed_request");
    CHECK(get.has("Allow: POST, OPTIONS"));
  }

  TEST_CASE("waits for a key that a token names, and says no when that does not come") {
    OwnResourceHost host(start);
    Request request({bearer(token("a"))});
    request.ask(host);
    CHECK(request.said() == "401 algorithm_not_allowed");
  }

  TEST_CASE(
      "a browser is told before whether a page may ask, by the origins of the host's routes") {
    auto preflight = [](std::string_view host, std::string_view origin) {
      OwnResourceHost worker(start);
      Request request(std::vector{OwnedField{"Origin", origin}});
      request.method = "OPTIONS";
      request.host = host;
      request.ask(worker);
      const bool allowed = request.has(fmt::format("Access-Control-Allow-Origin: {}", origin));
      CHECK(request.has("Vary: Origin"));
      CHECK(allowed == (request.answer->status == 204));
      if (allowed) {
        CHECK(request.has("Access-Control-Allow-Methods: POST"));
        CHECK(request.has("Access-Control-Allow-Headers: authorization, content-type, x-token"));
      }
      return request.said();
    };
    CHECK(preflight("gateway.example", "https://app.example.com") == "204 ");
    CHECK(preflight("gateway.example", "https://other.example.com") == "403 origin_not_allowed");
    CHECK(preflight("other.example", "https://other.example.com") == "204 ");
    CHECK(preflight("gateway.example", "null") == "403 origin_not_allowed");
    CHECK(preflight("gateway.example", "https://app.example.com.evil.example") ==
          "403 origin_not_allowed");
  }
}

}  // namespace tests
