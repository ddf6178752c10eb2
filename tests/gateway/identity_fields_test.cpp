#include "gateway/identity_fields.h"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <jansson.h>

#include "proxy/http.h"

namespace tests {

namespace {

using gateway::make_backend_request;

auth::Claims claims(const std::string& text) {
  std::shared_ptr<json_t> object(json_loads(text.c_str(), 0, nullptr), json_decref);
  REQUIRE(object);
  return {object, text};
}

// A client's handshake, and what a backend is asked then.
struct Fixture {
  proxy::RequestHead head;
  std::string target_text = "/chat";
  gateway::Route route;
  auth::Principal principal;
  gateway::Client client{"c0ffee", *proxy::IpAddress::parse("192.0.2.7"), false};

  std::optional<std::string_view> selected;  // the subprotocol that the client has been told

  Fixture() {
    head.fields.add("Host", "chat.example.com:8080");
    principal.subject = "alice";
    principal.claims = claims(R"({"sub":"alice","role":"editor"})");
    route.places = {{auth::CredentialPlace::Kind::Header, "authorization"},
                    {auth::CredentialPlace::Kind::Query, "token"},
                    {auth::CredentialPlace::Kind::Subprotocol, "bearer."}};
  }

  gateway::BackendRequest make() {
    auto target = proxy::parse_target(target_text);
    REQUIRE(target);
    return make_backend_request(head, *target, route, principal, client, selected);
  }
  // All values of a field, by its name with case and '_' folded as a careless backend might.
  static std::vector<std::string> values(const gateway::BackendRequest& request,
                                         std::string_view name) {
    std::vector<std::string> found;
    std::string_view lines = request.upgrade.fields.text();
    while (!lines.empty()) {
      const auto end = lines.find("\r\n");
      const auto line = lines.substr(0, end);
      lines.remove_prefix(end + 2);
      const auto colon = line.find(": ");
      if (proxy::aliases(line.substr(0, colon), name)) found.emplace_back(line.substr(colon + 2));
    }
    return found;
  }
};

using Values = std::vector<std::string>;

}  // namespace

TEST_SUITE("SECURITY 5: identity fields") {
  TEST_CASE_FIXTURE(Fixture, "the backend sees one value of each, ours, whatever the client sent") {
    for (const auto* name :
         {"X-Gatehouse-Subject", "x-gatehouse-subject", "X_Gatehouse_Subject",
          "X-GATEHOUSE_Subject", "X-Gatehouse-Claims", "x_gatehouse_connection", "X-Forwarded-For",
          "x_forwarded_for", "X-Forwarded-Proto", "X-Forwarded-Host"}) {
      head.fields.add(name, "mallory");
    }
    auto request = make();
    CHECK(values(request, "X-Gatehouse-Subject") == Values{"alice"});
    CHECK(values(request, "X-Gatehouse-Claims").size() == 1);
    CHECK(values(request, "X-Gatehouse-Connection") == Values{"c0ffee"});
    CHECK(values(request, "X-Forwarded-For") == Values{"192.0.2.7"});
    CHECK(values(request, "X-Forwarded-Proto") == Values{"http"});
    CHECK(values(request, "X-Forwarded-Host") == Values{"chat.example.com:8080"});
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a Connection list of the client's removes its own fields and none of ours") {
    head.fields.add("Connection", "Upgrade, X-Gatehouse-Subject, X-Hop");
    head.fields.add("X-Hop", "1");
    head.fields.add("X-App", "2");
    auto request = make();
    CHECK(values(request, "X-Gatehouse-Subject") == Values{"alice"});
    CHECK(values(request, "X-Hop").empty());
    CHECK(values(request, "X-App") == Values{"2"});
    CHECK(values(request, "Connection").empty());
  }

  TEST_CASE_FIXTURE(Fixture, "only a trusted proxy is believed when it says https") {
    head.fields.add("X-Forwarded-Proto", "https");
    CHECK(values(make(), "X-Forwarded-Proto") == Values{"http"});
    client.peer_trusted = true;
    CHECK(values(make(), "X-Forwarded-Proto") == Values{"https"});
  }

  TEST_CASE_FIXTURE(Fixture,
                    "who came over TLS came by https, unless a trusted proxy knows better") {
    client.secure = true;
    CHECK(values(make(), "X-Forwarded-Proto") == Values{"https"});
    head.fields.add("X-Forwarded-Proto", "http");
    CHECK(values(make(), "X-Forwarded-Proto") == Values{"https"});
    client.peer_trusted = true;
    CHECK(values(make(), "X-Forwarded-Proto") == Values{"http"});
  }
}

TEST_SUITE("SECURITY 21: claims in a head") {
  TEST_CASE_FIXTURE(Fixture,
                    "a subject is percent-encoded but for unreserved characters and @ : |") {
    principal.subject = "a\r\nX-Admin: 1";
    CHECK(values(make(), "X-Gatehouse-Subject") == Values{"a%0D%0AX-Admin:%201"});
    principal.subject = "é|b@c:d~e-f.g_h%";
    CHECK(values(make(), "X-Gatehouse-Subject") == Values{"%C3%A9|b@c:d~e-f.g_h%25"});
  }

  TEST_CASE_FIXTURE(Fixture, "claims go as base64url, all of them or those of the route") {
    CHECK(values(make(), "X-Gatehouse-Claims") ==
          Values{"eyJzdWIiOiJhbGljZSIsInJvbGUiOiJlZGl0b3IifQ"});
    route.forward_claims = {"role"};
    CHECK(values(make(), "X-Gatehouse-Claims") == Values{"eyJyb2xlIjoiZWRpdG9yIn0"});
    route.forward_claims.emplace();
    CHECK(values(make(), "X-Gatehouse-Claims") == Values{"e30"});
  }

  TEST_CASE_FIXTURE(Fixture, "claims of 4 KiB go, longer ones are left out, and that is told") {
    auto of_size = [](std::size_t octets) {
      return claims(R"({"a":")" + std::string(octets - 8, 'x') + R"("})");
    };
    principal.claims = of_size(3072);
    auto fits = make();
    CHECK(values(fits, "X-Gatehouse-Claims").at(0).size() == 4096);
    CHECK(fits.claims_octets_left_out == 0);
    principal.claims = of_size(3073);
    auto left_out = make();
    CHECK(values(left_out, "X-Gatehouse-Claims").empty());
    CHECK(left_out.claims_octets_left_out == 4098);
  }
}

TEST_SUITE("what goes on to the backend") {
  TEST_CASE_FIXTURE(Fixture, "host, path, query and Origin go as they came, credentials do not") {
    target_text = "/a%20b/c?x=1&token=secret&y=%2F";
    head.fields.add("Origin", "https://app.example.com");
    head.fields.add("Authorization", "Bearer secret");
    head.fields.add("Sec-WebSocket-Protocol", "chat, bearer.secret");
    auto request = make();
    CHECK(request.upgrade.target == "/a%20b/c?x=1&y=%2F");
    CHECK(values(request, "Host") == Values{"chat.example.com:8080"});
    CHECK(values(request, "Origin") == Values{"https://app.example.com"});
    CHECK(values(request, "Authorization").empty());
    CHECK(values(request, "Sec-WebSocket-Protocol") == Values{"chat"});
    CHECK(request.upgrade.subprotocols == Values{"chat"});
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a query that was only a credential goes with its mark, an empty one stays") {
    target_text = "/chat?token=secret";
    CHECK(make().upgrade.target == "/chat");
    target_text = "/chat?";
    CHECK(make().upgrade.target == "/chat?");
  }

  TEST_CASE_FIXTURE(Fixture, "credentials go where the route says so") {
    route.forward_credentials = true;
    target_text = "/chat?token=secret";
    head.fields.add("Authorization", "Bearer secret");
    auto request = make();
    CHECK(request.upgrade.target == "/chat?token=secret");
    CHECK(values(request, "Authorization") == Values{"Bearer secret"});
  }

  TEST_CASE_FIXTURE(Fixture, "a client that has been told its subprotocol has no other") {
    head.fields.add("Sec-WebSocket-Protocol", "a, b, bearer.x");
    selected = "b";
    CHECK(make().upgrade.subprotocols == Values{"b"});
    CHECK(values(make(), "sec-websocket-protocol") == Values{"b"});
    selected = "";
    CHECK(make().upgrade.subprotocols.empty());
    CHECK(values(make(), "sec-websocket-protocol").empty());
  }

  TEST_CASE_FIXTURE(Fixture,
                    "only the subprotocols of the route are offered, where it has a list") {
    head.fields.add("Sec-WebSocket-Protocol", "a, b");
    head.fields.add("Sec-WebSocket-Protocol", "c");
    CHECK(make().upgrade.subprotocols == Values{"a", "b", "c"});
    route.subprotocols = {"c", "b"};
    auto request = make();
    CHECK(values(request, "Sec-WebSocket-Protocol") == Values{"b, c"});
    route.subprotocols = {"d"};
    CHECK(values(make(), "Sec-WebSocket-Protocol").empty());
  }

  TEST_CASE_FIXTURE(Fixture, "no extension is offered") {
    head.fields.add("Sec-WebSocket-Extensions", "permessage-deflate");
    CHECK(values(make(), "Sec-WebSocket-Extensions").empty());
  }
}

}  // namespace tests
