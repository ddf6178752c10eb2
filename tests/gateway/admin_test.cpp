#include "gateway/admin.h"

#include <doctest/doctest.h>

namespace tests {

namespace {
// Of texts that outlive it: a head has views.
proxy::RequestHead request(std::string_view method, std::string_view target) {
  proxy::RequestHead head;
  head.method = method;
  head.target = target;
  return head;
}
}  // namespace

TEST_SUITE("admin listener") {
  TEST_CASE("healthz is 200 as long as the process lives, readyz only when it is ready") {
    CHECK(gateway::answer_admin(request("GET", "/healthz"), "", true).status == 200);
    CHECK(gateway::answer_admin(request("GET", "/healthz"), "", false).status == 200);
    CHECK(gateway::answer_admin(request("GET", "/readyz"), "", true).status == 200);
    CHECK(gateway::answer_admin(request("GET", "/readyz"), "", false).status == 503);
  }

  TEST_CASE("health needs no token, all else does where one is set") {
    CHECK(gateway::answer_admin(request("GET", "/readyz"), "s3cret", true).status == 200);
    CHECK(gateway::answer_admin(request("GET", "/v1/rooms"), "s3cret", true).status == 401);
    CHECK(gateway::answer_admin(request("GET", "/v1/rooms"), "", true).status == 404);
  }

  TEST_CASE("the token is the whole of it, in one field") {
    auto status = [](std::initializer_list<const char*> values) {
      auto head = request("GET", "/v1/rooms");
      for (const auto* value : values) head.fields.add("Authorization", value);
      return gateway::answer_admin(head, "s3cret", true).status;
    };
    CHECK(status({"Bearer s3cret"}) == 404);
    CHECK(status({"bearer s3cret"}) == 404);
    for (const auto* wrong :
         {"Bearer s3cre", "Bearer s3crett", "Bearer ", "s3cret", "Basic s3cret"}) {
      CHECK(status({wrong}) == 401);
    }
    CHECK(status({"Bearer s3cret", "Bearer s3cret"}) == 401);
  }

  TEST_CASE("another method than GET or HEAD is 405, another resource 404") {
    CHECK(gateway::answer_admin(request("HEAD", "/healthz"), "", true).status == 200);
    CHECK(gateway::answer_admin(request("POST", "/healthz"), "", true).status == 405);
    CHECK(gateway::answer_admin(request("GET", "/healthz/x"), "", true).status == 404);
    CHECK(gateway::answer_admin(request("GET", "/healthz?verbose"), "", true).status == 200);
  }
}

}  // namespace tests
