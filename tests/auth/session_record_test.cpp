#include "auth/session_record.h"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

using namespace auth;
using namespace std::chrono_literals;

namespace {

const WallTime now = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 28));

SessionRules rules() {
  return {.authenticator = "web",
          .subject_prefix = "web:",
          .subject = "/passport/user",
          .claims = {{"role", "/passport/role"}, {"teams", "/teams"}}};
}

std::expected<Principal, SessionError> read(
    std::string_view record, std::optional<std::chrono::milliseconds> time_to_live = {}) {
  return read_session(record, time_to_live, rules(), now);
}

std::string with_expiry(std::string_view expires) {
  return R"({"cookie":{"originalMaxAge":60000,"expires":)" + std::string(expires) +
         R"(,"httpOnly":true,"path":"/"},"passport":{"user":"alice"}})";
}

}  // namespace

TEST_SUITE("Session records") {
  TEST_CASE("a record of express-session and passport makes a principal") {
    const auto alice = read(
        R"({"cookie":{"originalMaxAge":60000,"expires":"2026-11-28T00:01:00.500Z","path":"/"},)"
        R"("passport":{"user":"alice","role":"admin"},"teams":["red"],"csrf":"secret"})");
    REQUIRE(alice);
    CHECK(alice->subject == "web:alice");
    CHECK(alice->authenticator == "web");
    CHECK(alice->issuer.empty());
    CHECK(alice->token_id.empty());
    CHECK(alice->good_until == now + 60'500ms);
    CHECK(alice->claims.to_json() == R"({"role":"admin","teams":["red"]})");
    CHECK(alice->claims.find("csrf") == nullptr);
  }

  TEST_CASE("an integer is a subject in its decimal form") {
    CHECK(read(R"({"passport":{"user":42}})")->subject == "web:42");
    CHECK(read(R"({"passport":{"user":-7}})")->subject == "web:-7");
    CHECK(read(R"({"passport":{"user":4.5}})").error() == SessionError::WithoutSubject);
  }

  TEST_CASE("a claim that is not in the record is not there") {
    CHECK(read(R"({"passport":{"user":"a"}})")->claims.to_json() == "{}");
    CHECK(read(R"({"passport":{"user":"a"},"teams":null})")->claims.to_json() ==
          R"({"teams":null})");
  }

  TEST_CASE("it ends with cookie.expires; one without is good as long as it is stored") {
    CHECK(read(with_expiry(R"("2026-11-28T00:00:00.001Z")"))->good_until == now + 1ms);
    CHECK(read(with_expiry(R"("2026-11-28T00:00:00.000Z")")).error() == SessionError::Ended);
    CHECK(read(with_expiry(R"("2026-11-27T00:00:00.000Z")")).error() == SessionError::Ended);
    CHECK_FALSE(read(with_expiry("null"))->good_until);
    CHECK_FALSE(read(with_expiry("false"))->good_until);
    CHECK_FALSE(read(with_expiry("null"), 5s)->good_until);
    CHECK_FALSE(read(R"({"passport":{"user":"a"}})")->good_until);
  }

  TEST_CASE("one that each request prolongs ends when the store forgets it") {
    const auto past = with_expiry(R"("2026-11-27T00:00:00.000Z")");
    CHECK(read(past, 60s)->good_until == now + 60s);
    CHECK(read(past, 61s)->good_until == now + 61s);
    CHECK(read(past, 0s).error() == SessionError::Ended);
    CHECK(read(with_expiry(R"("2026-11-28T00:01:00.000Z")"), 30s)->good_until == now + 30s);
  }

  TEST_CASE("a time to live that no request can have given says nothing of the end") {
    const auto past = with_expiry(R"("2026-11-27T00:00:00.000Z")");
    CHECK(read(past, 61'001ms).error() == SessionError::Ended);
    CHECK(read(past, std::chrono::milliseconds::max()).error() == SessionError::Ended);
    for (const char* age : {"null", R"("60000")", "6e4", "-1"}) {
      CAPTURE(age);
      const auto record = R"({"cookie":{"originalMaxAge":)" + std::string(age) +
                          R"(,"expires":"2026-11-28T00:01:00.000Z"},"passport":{"user":"a"}})";
      CHECK(read(record, 30s)->good_until == now + 60s);
    }
  }

  TEST_CASE("an end that is no time is none to rely on") {
    for (const char* expires : {"true", "1795824000000", R"("")", R"("soon")", "{}",
                                R"("Sat, 28 Nov 2026 00:01:00 GMT")"}) {
      CAPTURE(expires);
      CHECK(read(with_expiry(expires)).error() == SessionError::Malformed);
    }
  }

  TEST_CASE("nobody has logged in, or nobody who may be a subject") {
    for (const char* record : {"{}", R"({"passport":{}})", R"({"passport":{"user":null}})",
                               R"({"passport":{"user":""}})", R"({"passport":{"user":{"id":1}}})",
                               R"({"passport":{"user":"a\nb"}})"}) {
      CAPTURE(record);
      CHECK(read(record).error() == SessionError::WithoutSubject);
    }
    const std::string longest(252, 'a');
    CHECK(read(R"({"passport":{"user":")" + longest + R"("}})"));
    CHECK(read(R"({"passport":{"user":")" + longest + R"(a"}})").error() ==
          SessionError::WithoutSubject);
  }

  TEST_CASE("no session is a guest's") {
    auto plain = rules();
    plain.subject_prefix.clear();
    CHECK(read_session(R"({"passport":{"user":"anonymous:1"}})", {}, plain, now).error() ==
          SessionError::WithoutSubject);
  }

  TEST_CASE("what is not one JSON object, read in one way, is no record") {
    for (const char* record : {"", "null", "[]", "{", R"({"passport":{"user":"a"}}x)",
                               R"({"passport":{"user":"a"},"passport":{"user":"b"}})"}) {
      CAPTURE(record);
      CHECK(read(record).error() == SessionError::Malformed);
    }
    const auto padded = [](std::size_t octets) {
      std::string record = R"({"passport":{"user":"a"}})";
      return record + std::string(octets - record.size(), ' ');
    };
    CHECK(read(padded(session_record_octets_max)));
    CHECK(read(padded(session_record_octets_max + 1)).error() == SessionError::Malformed);
  }

  TEST_CASE("has claims of at most 8 KiB") {
    const SessionRules rules{"web", "", "/user", {{"about", "/about"}}};
    const auto with = [&](std::size_t octets) {
      const auto record = R"({"user":"a","about":")" + std::string(octets, 'x') + R"("})";
      return read_session(record, {}, rules, now);
    };
    const std::size_t others = std::string_view(R"({"about":""})").size();
    CHECK(with(8 * 1024 - others));
    CHECK(with(8 * 1024 - others + 1).error() == SessionError::Malformed);
  }
}
