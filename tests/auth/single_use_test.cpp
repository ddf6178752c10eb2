#include "auth/single_use.h"

#include <set>

#include <doctest/doctest.h>

using namespace auth;

TEST_SUITE("names of what serves once") {
  TEST_CASE("are digests, from which nobody reads what they are of") {
    const auto name = name_of_token("users", "https://id.example.com/", "5f0c");
    CHECK(name.size() == 43);
    CHECK(name.find("5f0c") == std::string::npos);
    CHECK(name == name_of_token("users", "https://id.example.com/", "5f0c"));
    // printf '22:AAAAAAAAAAAAAAAAAAAAAA' | openssl dgst -sha256 -binary | basenc --base64url
    CHECK(name_of_ticket("AAAAAAAAAAAAAAAAAAAAAA") ==
          "ib_H87uOJ9s9OUvTw_wnj9-W2LHIQUaoWcMvBnj7qhg");
  }

  TEST_CASE("differ where any part does, also where all of them together are one text") {
    const std::set<std::string> names{
        name_of_token("users", "https://a/", "1"),  name_of_token("users", "https://b/", "1"),
        name_of_token("other", "https://a/", "1"),  name_of_token("users", "https://a/", "2"),
        name_of_token("users", "https://a/1", ""),  name_of_token("usershttps://a/", "", "1"),
        name_of_token("users", "https://a/1", "1"), name_of_token("users", "https://a/", "11")};
    CHECK(names.size() == 8);
  }
}

TEST_SUITE("a ticket") {
  TEST_CASE("is 128 bits as base64url") {
    TicketBits bits{};
    CHECK(write_ticket(bits) == "AAAAAAAAAAAAAAAAAAAAAA");
    bits.fill(0xff);
    CHECK(write_ticket(bits) == "_____________________w");
    CHECK(valid_ticket(write_ticket(bits)));
  }

  TEST_CASE("is nothing else") {
    CHECK(valid_ticket("AAAAAAAAAAAAAAAAAAAAAA"));
    for (const auto* wrong :
         {"", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB",
          "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAAAA"}) {
      CHECK_FALSE_MESSAGE(valid_ticket(wrong), wrong);
    }
  }
}
