#include "auth/revocation.h"

#include <string>

#include <doctest/doctest.h>

using namespace auth;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

constexpr WallTime now{std::chrono::seconds(1'790'000'000)};

const auto of_alice =
    R"({"type":"revoke","subject":"alice","issued_before_ms":1790000000000,"until_ms":1790000100000})"s;
const auto of_token = R"({"type":"revoke","token_id":"5f0c","until_ms":1790000100000})"s;

std::string changed(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

bool readable(const std::string& text) { return read_revocation(text).has_value(); }

}  // namespace

TEST_SUITE("CONTRACT 7: a revocation") {
  TEST_CASE("lasts as long as a token may that it meets, and as clocks may be apart") {
    const auto longest = 24h + 30s;
    CHECK(revoke_subject("alice", now, now, longest).until == now + longest + clocks_apart_max);
    CHECK(revoke_token("5f0c", now, longest).until == now + longest + clocks_apart_max);
  }

  TEST_CASE("of the past meets what has no iat, which may be as new as any") {
    CHECK(revoke_subject("alice", now - 48h, now, 24h).until == now + 24h + clocks_apart_max);
  }

  TEST_CASE("of the future lasts from then on") {
    CHECK(revoke_subject("alice", now + 1h, now, 24h).until == now + 25h + clocks_apart_max);
  }

  TEST_CASE("and another one of the same are one that does what both do") {
    const Revocation early{"alice", now, now + 2h};
    const Revocation late{"alice", now + 1h, now + 1h};
    CHECK(merged(early, late) == Revocation{"alice", now + 1h, now + 2h});
    CHECK(merged(late, early) == merged(early, late));
    const Revocation token{"5f0c", {}, now};
    CHECK(merged(token, {"5f0c", {}, now + 1h}) == Revocation{"5f0c", {}, now + 1h});
  }

  TEST_CASE("is written in one form, and read in that one") {
    const Revocation subject{"alice", now, now + 100s};
    CHECK(write_revocation(subject) == of_alice);
    CHECK(read_revocation(of_alice) == subject);
    const Revocation token{"5f0c", {}, now + 100s};
    CHECK(write_revocation(token) == of_token);
    CHECK(read_revocation(of_token) == token);
    const Revocation odd{R"(é"\/ {})", now, now + 100s};
    CHECK(read_revocation(write_revocation(odd)) == odd);
  }

  TEST_CASE("as long as one can be is read, and nothing longer") {
    const Revocation longest{std::string(256, '"'), now, now};
    CHECK(read_revocation(write_revocation(longest)) == longest);
    CHECK_FALSE(readable(write_revocation({std::string(257, 'x'), now, now})));
    CHECK_FALSE(readable(write_revocation({std::string(257, 'x'), {}, now})));
    CHECK_FALSE(readable(of_alice + std::string(revocation_text_octets_max, ' ')));
  }

  TEST_CASE("in any other form is none") {
    REQUIRE(readable(of_alice));
    for (const auto& text : {
             ""s,
             "revoke"s,
             "[" + of_alice + "]",
             of_alice + " ",
             " " + of_alice,
             of_alice + "x",
             changed(of_alice, "revoke", "close"),
             changed(of_alice, "\"alice\"", "17"),
             changed(of_alice, "alice", ""),
             changed(of_alice, "alice", "a\\nb"),
             changed(of_alice, "alice", "\\u0061lice"),
             changed(of_alice, "alice", "\xff"),
             changed(of_alice, "1790000000000", "1790000000000.5"),
             changed(of_alice, "1790000000000", "1.79e12"),
             changed(of_alice, "1790000000000", "\"1790000000000\""),
             changed(of_alice, "1790000000000", "-1"),
             changed(of_alice, "1790000000000", "253402300800000"),
             changed(of_alice, "1790000000000", "9223372036854775807"),
             changed(of_alice, "1790000100000", "null"),
             changed(of_alice, "1790000100000", "253402300800000"),
             changed(of_alice, ",\"until_ms\":1790000100000", ""),
             changed(of_alice, "\"issued_before_ms\":1790000000000,", ""),
             changed(of_alice, "}", ",\"more\":1}"),
             changed(of_alice, "}", ",\"token_id\":\"5f0c\"}"),
             changed(of_alice, "{\"type\":\"revoke\",", "{"),
             changed(of_alice, "}", ",\"subject\":\"bob\"}"),
             changed(of_token, "5f0c", ""),
             changed(of_token, "\"5f0c\"", "null"),
             changed(of_token, ",\"until", ",\"issued_before_ms\":1,\"until"),
         }) {
      CAPTURE(text);
      CHECK_FALSE(readable(text));
    }
  }

  TEST_CASE("times up to the year 9999 are times") {
    CHECK(readable(changed(of_alice, "1790000000000", "0")));
    CHECK(readable(changed(of_alice, "1790000000000", "253402300799999")));
  }
}
