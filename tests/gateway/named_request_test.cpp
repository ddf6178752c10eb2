#include "gateway/named_request.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace gateway;

namespace {

// "host target" of the request that is named; "": none is.
std::string named(const std::vector<proxy::Field>& given, std::string_view host = "proxy:8080") {
  proxy::Fields fields;
  if (!host.empty()) fields.add("Host", host);
  for (const auto& [name, value] : given) fields.add(name, value);
  const auto request = find_named_request(fields);
  return request ? std::string(request->host) + " " + std::string(request->target) : "";
}

}  // namespace

TEST_SUITE("The request that a proxy names") {
  TEST_CASE("is at the request's own Host as nginx asks") {
    CHECK(named({{"X-Original-URI", "/chat?a=b"}}) == "proxy:8080 /chat?a=b");
    CHECK(named({{"x-original-uri", "/chat"}}) == "proxy:8080 /chat");
    CHECK(named({{"X-Original-URI", "/chat"}}, "") == " /chat");  // HTTP/1.0
    CHECK(named({{"X-Original-URI", ""}}) == "proxy:8080 ");      // for its parser to refuse
  }

  TEST_CASE("is at X-Forwarded-Host as Traefik and Caddy ask, if they say one") {
    CHECK(named({{"X-Forwarded-Uri", "/chat"}, {"X-Forwarded-Host", "app.example"}}) ==
          "app.example /chat");
    CHECK(named({{"X-Forwarded-Uri", "/chat"}}) == "proxy:8080 /chat");
  }

  TEST_CASE("is nothing where it is not said, or said twice") {
    CHECK(named({}) == "");
    CHECK(named({{"X-Forwarded-Host", "app.example"}}) == "");
    CHECK(named({{"X_Original_URI", "/chat"}}) == "");
    CHECK(named({{"X-Original-URI", "/chat"}, {"X-Original-URI", "/chat"}}) == "");
    CHECK(named({{"X-Forwarded-Uri", "/chat"}, {"X-Forwarded-Uri", "/chat"}}) == "");
    CHECK(named({{"X-Forwarded-Uri", "/chat"},
                 {"X-Forwarded-Host", "a.example"},
                 {"X-Forwarded-Host", "a.example"}}) == "");
  }

  TEST_CASE("is at a host that is one") {
    for (const auto* host : {"", "a.example, b.example", "a.example/", "a.example:port", "a b"}) {
      CHECK(named({{"X-Forwarded-Uri", "/chat"}, {"X-Forwarded-Host", host}}) == "");
    }
  }

  TEST_CASE("has two names only where both say the same: one of them may be its client's") {
    const proxy::Field original{"X-Original-URI", "/chat"};
    const proxy::Field forwarded{"X-Forwarded-Uri", "/chat"};
    CHECK(named({original, forwarded}) == "proxy:8080 /chat");
    CHECK(named({original, forwarded, {"X-Forwarded-Host", "proxy:8080"}}) == "proxy:8080 /chat");
    CHECK(named({original, {"X-Forwarded-Uri", "/open"}}) == "");
    CHECK(named({{"X-Original-URI", "/open"}, forwarded}) == "");
    CHECK(named({original, {"X-Forwarded-Uri", ""}}) == "");
    CHECK(named({original, forwarded, {"X-Forwarded-Host", "open.example"}}) == "");
  }

  TEST_CASE("has no host of its client's choice as nginx asks") {
    CHECK(named({{"X-Original-URI", "/chat"}, {"X-Forwarded-Host", "open.example"}}) ==
          "proxy:8080 /chat");
  }
}
