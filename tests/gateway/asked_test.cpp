#include "gateway/asked.h"

#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/admit.h"

using namespace gateway;

TEST_SUITE("What clients asked for") {
  TEST_CASE("is kept once for all who asked for the same, as long as one of them is there") {
    AskedTable table;
    auto first = table.keep({"a.test", "/chat", "https://a.test", false});
    {
      const auto second = table.keep({"a.test", "/chat", "https://a.test", false});
      CHECK(table.size() == 1);
      CHECK(&*first == &*second);
    }
    CHECK(table.size() == 1);
    CHECK(first->path == "/chat");
    const auto moved = std::move(first);
    CHECK(moved->origin == "https://a.test");
    CHECK(table.size() == 1);
  }

  TEST_CASE("is another thing where anything of it differs, and is forgotten with the last user") {
    AskedTable table;
    {
      std::vector<AskedTable::Entry> entries;
      entries.push_back(table.keep({"a.test", "/chat", "null", false}));
      entries.push_back(table.keep({"a.test", "/chat", std::nullopt, false}));
      entries.push_back(table.keep({"a.test", "/chat", std::nullopt, true}));
      entries.push_back(table.keep({"a.test/", "chat", std::nullopt, true}));
      entries.push_back(table.keep({"b.test", "/chat", std::nullopt, true}));
      CHECK(table.size() == entries.size());
    }
    CHECK(table.size() == 0);
  }

  TEST_CASE("of a request is its host, path and Origin, and whether a cookie let it in") {
    const std::vector<auth::Field> fields{{"Origin", "https://a.test"}};
    const FoundCredential nothing = std::unexpected(auth::CredentialsError::Missing);
    const FoundCredential cookie = auth::Credential{auth::CredentialPlace::Kind::Cookie, 0, "x"};
    CHECK(asked_of({"a.test:8080", "/chat", "", fields}, nothing) ==
          Asked{"a.test:8080", "/chat", "https://a.test", false});
    CHECK(asked_of({"a.test", "/chat", "", {}}, cookie) ==
          Asked{"a.test", "/chat", std::nullopt, true});
  }

  TEST_CASE("is never a second Origin, or what is too long to be one or a host") {
    const FoundCredential nothing = std::unexpected(auth::CredentialsError::Missing);
    const std::vector<auth::Field> two{{"Origin", "https://a.test"}, {"origin", "https://a.test"}};
    CHECK(asked_of({"a.test", "/", "", two}, nothing).origin == "null");
    const std::string longest(Asked::origin_octets_max, 'o');
    const std::string longer = longest + 'o';
    const std::vector<auth::Field> at_most{{"Origin", longest}};
    const std::vector<auth::Field> too_long{{"Origin", longer}};
    CHECK(asked_of({"a.test", "/", "", at_most}, nothing).origin == longest);
    CHECK(asked_of({"a.test", "/", "", too_long}, nothing).origin == "null");
    CHECK(asked_of({std::string(Asked::host_octets_max + 1, 'h'), "/", "", {}}, nothing).host ==
          "");
  }
}
