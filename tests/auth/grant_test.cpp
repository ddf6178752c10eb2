#include "auth/grant.h"

#include <string>

#include <doctest/doctest.h>

using namespace auth;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

const auto text =
    R"({"route":"0123456789abcdef","path":"/chat","authenticator":"users","subject":"alice",)"
    R"("good_until_ms":1790000030000,"key":"00000000feedbeef","claims":"{\"iss\":\"https://id/\",\"jti\":\"5f0c\",\"iat\":1790000000}"})"s;

std::string changed(std::string_view from, std::string_view to) {
  auto other = text;
  return other.replace(other.find(from), from.size(), to);
}

}  // namespace

TEST_SUITE("what a ticket stands for") {
  TEST_CASE("is written in one form, and read in that one with all that a token said") {
    const auto read = read_grant(text);
    REQUIRE(read);
    CHECK(read->route == "0123456789abcdef");
    CHECK(read->path == "/chat");
    const auto& principal = read->principal;
    CHECK(principal.subject == "alice");
    CHECK(principal.authenticator == "users");
    CHECK(principal.issuer == "https://id/");
    CHECK(principal.token_id == "5f0c");
    CHECK(principal.issued_at == WallTime(1'790'000'000s));
    CHECK(principal.good_until == WallTime(1'790'000'030s));
    CHECK(principal.claims.to_json() == R"({"iss":"https://id/","jti":"5f0c","iat":1790000000})");
    CHECK(principal.key == 0xfeedbeef);
    CHECK_FALSE(principal.single_use);
    CHECK(write_grant(*read) == text);
  }

  TEST_CASE("keeps odd texts as they are") {
    auto grant = *read_grant(text);
    grant.path = R"(/é"{}\)";
    grant.principal.subject = R"(é"\/ {})";
    const auto again = read_grant(write_grant(grant));
    REQUIRE(again);
    CHECK(again->path == grant.path);
    CHECK(again->principal.subject == grant.principal.subject);
  }

  TEST_CASE("of a token that says neither issuer, id nor time has none of them") {
    const auto read = read_grant(
        changed(R"({\"iss\":\"https://id/\",\"jti\":\"5f0c\",\"iat\":1790000000})", "{}"));
    REQUIRE(read);
    CHECK(read->principal.issuer.empty());
    CHECK(read->principal.token_id.empty());
    CHECK_FALSE(read->principal.issued_at);
  }

  TEST_CASE("is nothing else: whoever writes it elsewhere has to write it as we do") {
    for (const auto& wrong :
         {""s,
          "{}"s,
          "[]"s,
          text + " ",
          " " + text,
          text.substr(1),
          changed("alice", ""),
          changed("alice", "anonymous:1"),
          changed("alice", "a\\u0007"),
          changed("alice", std::string(257, 'a')),
          changed("/chat", "chat"),
          changed("/chat", ""),
          changed("users", ""),
          changed("0123456789abcdef", ""),
          changed("1790000030000", "\"1\""),
          changed("1790000030000", "1.5"),
          changed("1790000030000", "1e3"),
          changed("\"good_until_ms\":1790000030000,", ""),
          changed("\"key\":\"00000000feedbeef\",", ""),
          changed("00000000feedbeef", "feedbeef"),
          changed("00000000feedbeef", "00000000FEEDBEEF"),
          changed(R"("{\"iss)", R"("[{\"iss)"),
          changed(R"(\"jti\")", R"(\"iss\")"),
          changed("\"claims\"", "\"claim\""),
          changed("\"path\":\"/chat\"", "\"path\":\"/chat\",\"path\":\"/chat\""),
          changed("\"path\":\"/chat\"", "\"path\":\"/chat\",\"more\":1"),
          changed("\"path\"", "\"\\u0070ath\""),
          changed(R"("subject":"alice")", R"("subject":7)"),
          changed("/chat", "/" + std::string(grant_text_octets_max, 'a'))}) {
      CHECK_FALSE_MESSAGE(read_grant(wrong), wrong.substr(0, 300));
    }
  }

  TEST_CASE("ends: that of a guest, or of a session, is none") {
    Grant grant = *read_grant(text);
    grant.principal.good_until.reset();
    CHECK_FALSE(read_grant(write_grant(grant)));
  }
}
