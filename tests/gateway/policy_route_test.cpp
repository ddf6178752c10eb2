#include <doctest/doctest.h>

#include "gateway/policy.h"

using namespace gateway;

namespace {

Route route(std::string_view path, std::vector<std::string> hosts = {}) {
  Route made;
  made.path = PathPattern::parse(path).value();
  made.hosts = std::move(hosts);
  return made;
}

// The path of the route found; "": none.
std::string found(const Policy& policy, std::string_view host, std::string_view path) {
  const Route* route = find_route(policy, host, path).route;
  return route ? route->path.text() : "";
}

}  // namespace

TEST_SUITE("hosts (RFC 9110 section 7.2)") {
  TEST_CASE("a host is in lower case, without its port, a final dot or brackets") {
    CHECK(normalize_host("Chat.Example.COM") == "chat.example.com");
    CHECK(normalize_host("chat.example.com:8080") == "chat.example.com");
    CHECK(normalize_host("chat.example.com:") == "chat.example.com");
    CHECK(normalize_host("chat.example.com.") == "chat.example.com");
    CHECK(normalize_host("chat.example.com.:443") == "chat.example.com");
    CHECK(normalize_host("192.0.2.1:80") == "192.0.2.1");
    CHECK(normalize_host("[::1]") == "::1");
    CHECK(normalize_host("[0:0:0:0::1]:8080") == "::1");
    CHECK(normalize_host("[2001:DB8::1]") == "2001:db8::1");
  }

  TEST_CASE("what is no host") {
    for (const char* text : {"", ":80", ".", "a..b", "a b", "a,b", "a:b", "a:80:80", "user@a",
                             "a/b", "[::1", "[::1]x", "[127.0.0.1]", "::1", "a:123456", "a\r\nb"}) {
      CAPTURE(text);
      CHECK_FALSE(normalize_host(text));
    }
  }
}

TEST_SUITE("what keys in Redis call a route") {
  TEST_CASE("its hosts in any order and its path, and nothing else") {
    const auto key = route_key({"a.example", "b.example"}, "/chat/{team}");
    CHECK(key == "6de903fa4c600dfa");  // as other versions of the program call it
    CHECK(route_key({"b.example", "a.example"}, "/chat/{team}") == key);
    CHECK(route_key({"a.example"}, "/chat/{team}") != key);
    CHECK(route_key({"a.example", "b.example"}, "/chat/{room}") != key);
    CHECK(route_key({}, "/") != route_key({}, "/*"));
    CHECK(route_key({}, "/").size() == 16);
  }
}

TEST_SUITE("first match by host and path") {
  TEST_CASE("the first route that fits both is taken") {
    Policy policy;
    policy.routes.push_back(route("/chat", {"a.example"}));
    policy.routes.push_back(route("/{any}", {"b.example", "::1"}));
    policy.routes.push_back(route("/*"));
    CHECK(found(policy, "a.example", "/chat") == "/chat");
    CHECK(found(policy, "A.example.:80", "/chat") == "/chat");
    CHECK(found(policy, "b.example", "/chat") == "/{any}");
    CHECK(found(policy, "[::1]:8080", "/chat") == "/{any}");
    CHECK(found(policy, "c.example", "/chat") == "/*");
    CHECK(found(policy, "a.example", "/other") == "/*");
    CHECK(found(policy, "a.example.evil.example", "/chat") == "/*");
  }

  TEST_CASE("no route is no route") {
    Policy policy;
    CHECK(found(policy, "a.example", "/") == "");
    policy.routes.push_back(route("/chat", {"a.example"}));
    CHECK(found(policy, "a.example", "/Chat") == "");
    CHECK(found(policy, "b.example", "/chat") == "");
    CHECK(found(policy, "", "/chat") == "");
    CHECK(found(policy, "a.example, b.example", "/chat") == "");
  }

  TEST_CASE("what is no host fits only a route for all hosts") {
    Policy policy;
    policy.routes.push_back(route("/chat", {"a.example"}));
    policy.routes.push_back(route("/chat"));
    CHECK(find_route(policy, "a b", "/chat").route == &policy.routes[1]);
  }

  TEST_CASE("the gateway's own paths belong to no route") {
    Policy policy;
    policy.routes.push_back(route("/*"));
    CHECK(found(policy, "a.example", "/_gatehouse/ticket") == "");
    CHECK(found(policy, "a.example", "/_gatehouse") == "/*");
  }

  TEST_CASE("what was captured belongs to the route that was found") {
    Policy policy;
    policy.routes.push_back(route("/{a}/x"));
    policy.routes.push_back(route("/{b}/{c}"));
    auto match = find_route(policy, "a.example", "/1/2");
    REQUIRE(match.captures.size() == 2);
    CHECK(match.captures[0] == std::pair<std::string_view, std::string_view>("b", "1"));
    CHECK(match.captures[1] == std::pair<std::string_view, std::string_view>("c", "2"));
  }
}
