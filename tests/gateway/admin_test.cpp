#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/admin_health.h"
#include "gateway/admin_request.h"
#include "proxy/http.h"

using namespace gateway;
using Fields = std::vector<proxy::Field>;

namespace tests {

namespace {

// A request to a listener with a handful of rows; `texts` outlive it: a head has views.
struct Listener {
  std::string token;
  AdminApi api;
  std::optional<AdminCall> asked;

  explicit Listener(std::string admin_token = {}) : token(std::move(admin_token)) {
    add_health_rows(api, [] { return std::string_view(); });
    const auto nothing = [](const AdminCall&, const AdminReply&) {};
    api.add({"GET", "/v1/rooms", nothing});
    api.add({"POST", "/v1/rooms/{room}/messages", nothing});
    api.add({"GET", "/v1/connections", nothing});
    api.add({"DELETE", "/v1/connections/{id}", nothing});
  }

  std::expected<AdmittedCall, AdminAnswer> ask(std::string_view method, std::string_view target,
                                               const Fields& more = {},
                                               std::string_view host = "127.0.0.1:8081") {
    proxy::RequestHead head;
    head.method = method;
    head.target = target;
    if (!host.empty()) head.fields.add("Host", host);
    for (const auto& [name, value] : more) {
      head.fields.add(name, value);
      head.has_body |= name == "Content-Length" || name == "Transfer-Encoding";
    }
    return admit_call(head, token, api);
  }

  // 0: it is let in. An empty `host`: there is none.
  int status(std::string_view method, std::string_view target, const Fields& more = {},
             std::string_view host = "127.0.0.1:8081") {
    const auto admitted = ask(method, target, more, host);
    return admitted ? 0 : admitted.error().status;
  }
};

std::string field_of(const AdminAnswer& answer, std::string_view name) {
  for (const auto& [each, value] : answer.fields) {
    if (each == name) return value;
  }
  return {};
}

}  // namespace

TEST_SUITE("admin listener: a page in the operator's browser") {
  TEST_CASE("of another origin is refused, whatever it asks for") {
    Listener listener;
    for (const auto* origin :
         {"http://evil.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:3000",
          "https://127.0.0.1:8081", "http://localhost:8081", "http://127.0.0.1:8081.evil.example",
          "http://127.0.0.1:8081/"}) {
      CHECK(listener.status("GET", "/healthz", {{"Origin", origin}}) == 403);
      CHECK(listener.status("DELETE", "/v1/connections/1", {{"Origin", origin}}) == 403);
    }
    CHECK(listener.status("GET", "/v1/rooms", {{"Origin", "http://127.0.0.1:8081"}}) == 0);
    CHECK(listener.status("GET", "/v1/rooms") == 0);
  }

  TEST_CASE("of another origin is refused with the token too") {
    Listener listener("s3cret");
    const proxy::Field token{"Authorization", "Bearer s3cret"};
    CHECK(listener.status("GET", "/v1/rooms", {token, {"Origin", "http://evil.example"}}) == 403);
    CHECK(listener.status("GET", "/v1/rooms", {token, {"Origin", "http://127.0.0.1:8081"}}) == 0);
  }

  TEST_CASE("has one origin") {
    Listener listener;
    const proxy::Field own{"Origin", "http://127.0.0.1:8081"};
    CHECK(listener.status("GET", "/v1/rooms", {own}) == 0);
    CHECK(listener.status("GET", "/v1/rooms", {own, own}) == 403);
  }

  TEST_CASE("that came by a name which was rebound to this address is refused") {
    Listener listener;
    for (const auto* host :
         {"evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example",
          "xlocalhost", "127.1", "0x7f.0.0.1", "2130706433"}) {
      CHECK(listener.status("GET", "/v1/rooms", {}, host) == 403);
      CHECK(listener.status("GET", "/healthz", {}, host) == 403);
    }
    for (const auto* host : {"127.0.0.1", "127.0.0.1:8081", "10.1.2.3:80", "[::1]", "[::1]:8081",
                             "localhost", "LocalHost:8081", "localhost.:8081"}) {
      CHECK(listener.status("GET", "/v1/rooms", {}, host) == 0);
    }
  }

  TEST_CASE("says which host it asks, and who does not may ask for health alone") {
    for (const auto* token : {"", "s3cret"}) {
      Listener listener(token);
      CHECK(listener.status("GET", "/healthz", {}, "") == 0);
      CHECK(listener.status("GET", "/readyz", {}, "") == 0);
      CHECK(listener.status("GET", "/healthz", {{"Origin", "http://"}}, "") == 403);
    }
    Listener listener;
    for (const auto* target : {"/v1/rooms", "/", "/healthz/", "/healthz?x=y", "/%68ealthz"}) {
      CHECK(listener.status("GET", target, {}, "") == 403);
    }
  }

  TEST_CASE("does not know the token, so with one any name will do") {
    Listener listener("s3cret");
    const proxy::Field token{"Authorization", "Bearer s3cret"};
    CHECK(listener.status("GET", "/v1/rooms", {token}, "gateway.internal:8081") == 0);
    CHECK(listener.status("GET", "/healthz", {}, "gateway.internal:8081") == 0);
    CHECK(listener.status("GET", "/v1/rooms", {}, "gateway.internal:8081") == 401);
  }

  TEST_CASE("can send a form, and a form is no JSON") {
    Listener listener;
    const auto post = [&](const Fields& fields) {
      return listener.status("POST", "/v1/rooms/r/messages", fields);
    };
    const proxy::Field length{"Content-Length", "14"};
    for (const auto* type : {"text/plain", "application/x-www-form-urlencoded",
                             "multipart/form-data", "text/plain; application/json",
                             "application/jsonp", "application/json, text/plain", ""}) {
      CHECK(post({length, {"Content-Type", type}}) == 415);
    }
    CHECK(post({length}) == 415);
    const proxy::Field json{"Content-Type", "application/json"};
    CHECK(post({length, json, {"Content-Type", "text/plain"}}) == 415);
    CHECK(post({length, json}) == 0);
    CHECK(post({length, {"Content-Type", "Application/JSON; charset=utf-8"}}) == 0);
    CHECK(post({{"Content-Type", "text/plain"}}) == 0);  // there is no body
  }
}

TEST_SUITE("admin listener: the token") {
  TEST_CASE("is asked for where one is set, but not for health") {
    Listener listener("s3cret");
    CHECK(listener.status("GET", "/healthz") == 0);
    CHECK(listener.status("HEAD", "/readyz") == 0);
    CHECK(listener.status("GET", "/v1/rooms") == 401);
    CHECK(listener.status("GET", "/nothing") == 401);
    CHECK(listener.status("GET", "/healthz/x") == 401);
    CHECK(Listener().status("GET", "/v1/rooms") == 0);
    CHECK(field_of(listener.ask("GET", "/v1/rooms").error(), "WWW-Authenticate") ==
          "Bearer realm=\"admin\"");
  }

  TEST_CASE("is the whole of it, in one field") {
    Listener listener("s3cret");
    const auto status = [&](const std::vector<std::string_view>& values) {
      Fields fields;
      for (const auto value : values) fields.push_back({"Authorization", value});
      return listener.status("GET", "/v1/rooms", fields);
    };
    CHECK(status({"Bearer s3cret"}) == 0);
    CHECK(status({"bearer s3cret"}) == 0);
    for (const auto* wrong : {"Bearer s3cre", "Bearer s3crett", "Bearer S3cret", "Bearer ",
                              "Bearer", "s3cret", "Basic s3cret", ""}) {
      CHECK(status({wrong}) == 401);
    }
    CHECK(status({"Bearer s3cret", "Bearer s3cret"}) == 401);
  }
}

TEST_SUITE("admin listener: which row") {
  TEST_CASE("another resource is 404, another method 405 with those that there are") {
    Listener listener;
    CHECK(listener.status("HEAD", "/healthz") == 0);
    CHECK(listener.status("GET", "/healthz?verbose") == 0);
    CHECK(listener.status("POST", "/healthz") == 405);
    for (const auto* target : {"/", "/healthz/", "/healthz/x", "/v1", "/v1/rooms/",
                               "/v1/rooms/r/messages/x", "/v1/rooms//messages", "/V1/rooms"}) {
      CHECK(listener.status("GET", target) == 404);
    }
    CHECK(field_of(listener.ask("DELETE", "/v1/rooms").error(), "Allow") == "GET, HEAD");
    CHECK(field_of(listener.ask("GET", "/v1/connections/7").error(), "Allow") == "DELETE");
  }

  TEST_CASE("a segment is decoded after it has been told from its neighbours") {
    Listener listener;
    const auto room = [&](std::string target) {
      const auto admitted = listener.ask("POST", target);
      REQUIRE(admitted);
      return admitted->call.captured.at(0);
    };
    CHECK(room("/v1/rooms/team%3Ared/messages") == "team:red");
    CHECK(room("/v1/rooms/a%2fb%3Fc/messages") == "a/b?c");
    CHECK(room("/v1/rooms/%2e%2E/messages") == "..");
    CHECK(room("/v1/rooms/%C3%A9+/messages") == "\u00e9+");
    CHECK(room("/v1/rooms/%25252/messages") == "%252");
    CHECK(room("/v1/rooms/a%00b/messages") == std::string("a\0b", 3));
  }

  TEST_CASE("the query's parameters are decoded, each at most once") {
    const auto target = parse_admin_target("/v1/x?subject=a%26b+c&after=&flag&q=a=b");
    REQUIRE(target);
    CHECK(*target->query.find("subject") == "a&b c");
    CHECK(target->query.find("after")->empty());
    CHECK(target->query.find("flag")->empty());
    CHECK(*target->query.find("q") == "a=b");
    CHECK(target->query.find("other") == nullptr);
    CHECK(target->query.only({"subject", "after", "flag", "q"}));
    CHECK_FALSE(target->query.only({"subject", "after", "flag"}));
    CHECK_FALSE(parse_admin_target("/v1/x?a=1&a=2"));
    CHECK_FALSE(parse_admin_target("/v1/x?a=1&%61=2"));
  }

  TEST_CASE("a target that is not well-formed is 400") {
    Listener listener;
    for (const auto* target :
         {"*", "http://127.0.0.1/healthz", "healthz", "/v1/rooms#x", "/v1/rooms/%", "/v1/rooms/%4",
          "/v1/rooms/%zz", "/v1/rooms/%+1", "/healthz?a=%", "/healthz?%g1"}) {
      CHECK(listener.status("GET", target) == 400);
    }
    std::string many = "/healthz?";
    for (int i = 0; i < 17; ++i) many += "p" + std::to_string(i) + "=&";
    CHECK(listener.status("GET", many) == 400);
  }

  TEST_CASE("a body says how long it is, and is at most 1 MiB") {
    Listener listener;
    const proxy::Field json{"Content-Type", "application/json"};
    const auto post = [&](const char* length) {
      return listener.ask("POST", "/v1/rooms/r/messages", {json, {"Content-Length", length}});
    };
    CHECK(post("1048576")->body_octets == 1'048'576);
    CHECK(post("1048577").error().status == 413);
    CHECK(post("999999999999999999").error().status == 413);
    CHECK(listener.status("POST", "/v1/rooms/r/messages",
                          {json, {"Transfer-Encoding", "chunked"}}) == 411);
    CHECK(listener.ask("POST", "/v1/rooms/r/messages")->body_octets == 0);
  }
}

TEST_SUITE("admin listener: health") {
  TEST_CASE("ready is 503 with the reason as long as there is one") {
    std::string_view reason;
    AdminApi api;
    add_health_rows(api, [&] { return reason; });
    const auto ask = [&](const char* path) {
      AdminAnswer answer;
      api.find("GET", {path}).row->handler({}, [&](AdminAnswer given) { answer = given; });
      return std::pair(answer.status, answer.content);
    };
    CHECK(ask("readyz") == std::pair(200, std::string(R"({"status":"ready"})")));
    reason = "draining";
    CHECK(ask("readyz") == std::pair(503, std::string(R"({"error":"draining"})")));
    CHECK(ask("healthz") == std::pair(200, std::string(R"({"status":"alive"})")));
  }
}

}  // namespace tests
