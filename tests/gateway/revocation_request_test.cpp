#include "gateway/revocation_request.h"

#include <string>

#include <doctest/doctest.h>

using namespace gateway;
using namespace std::chrono_literals;

namespace {

constexpr auth::WallTime now{std::chrono::seconds(1'790'000'000)};

bool good(std::string_view json) { return read_revocation_request(json, now).has_value(); }

std::string subject_of(std::size_t octets) {
  return R"({"subject":")" + std::string(octets, 'x') + R"("})";
}

}  // namespace

TEST_SUITE("CONTRACT 6: what is to be revoked") {
  TEST_CASE("a subject, up to now") {
    const auto request = read_revocation_request(R"({"subject":"alice"})", now);
    REQUIRE(request);
    CHECK(request->of_subject);
    CHECK(request->name == "alice");
    CHECK_FALSE(request->issued_before);
  }

  TEST_CASE("a subject, up to a time, as iat says it") {
    const auto at = [](std::string_view time) {
      return read_revocation_request(
                 R"({"issued_before":)" + std::string(time) + R"(,"subject":"alice"})", now)
          ->issued_before;
    };
    CHECK(at("1789999000") == now - 1000s);
    CHECK(at("1789999000.25") == now - 1000s + 250ms);
    CHECK(at("0") == auth::WallTime{});
    CHECK(at("1790086400") == now + 24h);
  }

  TEST_CASE("the token of an id") {
    const auto request = read_revocation_request(R"({"token_id":"5f0c"})", now);
    REQUIRE(request);
    CHECK_FALSE(request->of_subject);
    CHECK(request->name == "5f0c");
  }

  TEST_CASE("names have 1 to 256 octets without control characters") {
    CHECK(good(subject_of(256)));
    CHECK_FALSE(good(subject_of(257)));
    CHECK_FALSE(good(subject_of(0)));
    CHECK_FALSE(good(R"({"subject":"a\nb"})"));
    CHECK(good(R"({"token_id":")" + std::string(256, 'x') + R"("})"));
    CHECK_FALSE(good(R"({"token_id":")" + std::string(257, 'x') + R"("})"));
    CHECK_FALSE(good(R"({"token_id":""})"));
    CHECK_FALSE(good(R"({"token_id":"a\u0000b"})"));
  }

  TEST_CASE("anything else is nothing that could be meant") {
    for (const auto* json : {
             "",
             "x",
             "[]",
             "null",
             "{}",
             R"({"subject":"alice","token_id":"5f0c"})",
             R"({"subject":17})",
             R"({"subject":null})",
             R"({"token_id":17})",
             R"({"subject":"alice","subject":"bob"})",
             R"({"subject":"alice","more":1})",
             R"({"token_id":"5f0c","more":1})",
             R"({"token_id":"5f0c","issued_before":1789999000})",
             R"({"issued_before":1789999000})",
             R"({"subject":"alice","issued_before":"1789999000"})",
             R"({"subject":"alice","issued_before":null})",
             R"({"subject":"alice","issued_before":-1})",
             R"({"subject":"alice","issued_before":1790086401})",
             R"({"subject":"alice","issued_before":1789999000000})",
             R"({"subject":"alice","issued_before":1e300})",
             R"({"subject":"alice","issued_before":1789999000,"more":1})",
             R"({"subject":"alice"} x)",
         }) {
      CAPTURE(json);
      CHECK_FALSE(good(json));
    }
  }
}
