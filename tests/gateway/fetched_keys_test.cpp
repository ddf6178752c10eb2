// Key sets that are fetched, and what of them is known elsewhere; the servers are the test.
#include "gateway/fetched_keys.h"

#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "gateway/policy_file.h"
#include "tests/auth/signing.h"
#include "tests/fakes/fake_fetcher.h"

using namespace gateway;
using namespace std::chrono_literals;
using auth::Algorithm;
using tests::FakeFetcher;
using Kind = proxy::FetchFailure::Kind;

namespace {

constexpr proxy::Instant start{proxy::MonotonicTime(1'000h), {}};

std::shared_ptr<const Policy> policy_with(std::string_view jwt) {
  auto loaded = parse_policy(
      "policy.yaml",
      fmt::format("version: 1\n"
                  "listen: [ {{ address: 127.0.0.1:8080 }} ]\n"
                  "authenticators: {{ users: {{ jwt: {{ audience: any, algorithms: [RS256, ES256], "
                  "{} }} }} }}\n"
                  "routes: [ {{ path: /chat, authenticate: [users] }} ]\n",
                  jwt),
      [](const std::string&) { return std::nullopt; });
  REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().front().to_string()));
  return loaded->policy;
}

constexpr auto by_url = "issuer: any, keys: [ { jwks_url: https://id.example.com/keys } ]";
constexpr auto discovered = "issuer: https://id.example.com/a, discover: true";
constexpr auto configuration_url = "https://id.example.com/a/.well-known/openid-configuration";

std::string configuration(std::string_view keys,
                          std::string_view issuer = "https://id.example.com/a") {
  return fmt::format(R"({{"issuer":"{}","jwks_uri":"{}"}})", issuer, keys);
}

// Sets with the key of the name.
std::string rsa_set(std::string_view kid) {
  return tests::jwk_set(tests::rsa_key().jwk(fmt::format(R"(,"kid":"{}")", kid)));
}
std::string ec_set(std::string_view kid) {
  return tests::jwk_set(tests::ec_key(Algorithm::ES256).jwk(fmt::format(R"(,"kid":"{}")", kid)));
}

struct Fixture : private FetchedKeys::Observer {
  explicit Fixture(std::string_view jwt = by_url)
      : policy(policy_with(jwt)), keys(timers, fetcher, authenticators_of(*policy), *this) {
    keys.start();
  }

  void on_key_news(const KeyNews& told) override {
    ++news;
    known.learn(told);
  }
  void on_keys_fetched(const KeySetStatus&, bool notable) override { notable_fetches += notable; }
  void on_key_fetch_failed(const KeySetStatus&) override {}

  const std::shared_ptr<const Authenticator>& users() {
    return policy->routes.front().authenticate.front();
  }
  bool knows(std::string_view kid, Algorithm algorithm = Algorithm::RS256) {
    return known.keys_of(*users()).names(algorithm, kid);
  }
  bool complete() { return known.complete(*users()); }
  void pass(proxy::Duration time) {
    // In steps: what is due at a time is armed by what was due before.
    for (const auto end = timers.now().monotonic + time; timers.now().monotonic < end;) {
      const auto next = std::min(end, timers.next_deadline().value_or(end));
      timers.advance_to({next, {}});
    }
  }
  KeySetStatus status() { return keys.status().front(); }

  proxy::Timers timers{start};
  FakeFetcher fetcher;
  std::shared_ptr<const Policy> policy;
  KnownKeys known;
  int news = 0;
  int notable_fetches = 0;
  FetchedKeys keys;
};

}  // namespace

TEST_SUITE("Keys that are fetched") {
  TEST_CASE("are asked for at the start, and known once they are there") {
    Fixture test;
    REQUIRE(test.fetcher.under_way() == 1);
    CHECK(test.fetcher.oldest().url.text == "https://id.example.com/keys");
    CHECK(test.fetcher.oldest().etag.empty());
    CHECK_FALSE(test.complete());
    CHECK_FALSE(test.keys.loaded());
    test.fetcher.answer(rsa_set("1"));
    CHECK(test.complete());
    CHECK(test.keys.loaded());
    CHECK(test.knows("1"));
  }

  TEST_CASE("are asked for again in time, with the name of what is at hand") {
    Fixture test;
    test.fetcher.answer(rsa_set("1"), "\"v1\"", 100s);
    test.pass(79s);
    CHECK(test.fetcher.under_way() == 0);
    test.pass(11s);
    REQUIRE(test.fetcher.under_way() == 1);
    CHECK(test.fetcher.oldest().etag == "\"v1\"");
    test.fetcher.not_modified();
    CHECK(test.knows("1"));
    CHECK(test.complete());
    CHECK(test.notable_fetches == 1);
  }

  TEST_CASE("are replaced as a whole: what is not in the set any more is not known any more") {
    Fixture test;
    test.fetcher.answer(rsa_set("1"), {}, 100s);
    test.pass(90s);
    test.fetcher.answer(rsa_set("2"), {}, 100s);
    CHECK(test.knows("2"));
    CHECK_FALSE(test.knows("1"));
    CHECK(test.notable_fetches == 2);
  }

  TEST_CASE("of two fetches that bring the same only the first is worth a line") {
    Fixture test;
    test.fetcher.answer(rsa_set("1"), {}, 100s);
    test.pass(90s);
    test.fetcher.answer(rsa_set("1"), {}, 100s);
    CHECK(test.notable_fetches == 1);
    test.pass(90s);
    test.fetcher.fail();
    test.pass(1s);
    test.fetcher.answer(rsa_set("1"), {}, 100s);
    CHECK(test.notable_fetches == 2);
  }

  TEST_CASE("are good for stale_max longer where the provider is away, then they are missing") {
    Fixture test("issuer: any, stale_max: 1h, keys: [ { jwks_url: https://id.example.com/keys } ]");
    test.fetcher.answer(rsa_set("1"), {}, 100s);
    const auto end = test.timers.now().monotonic + 100s + 1h;
    while (test.timers.now().monotonic < end - 70s) {
      test.pass(60s);
      if (test.fetcher.under_way() > 0) test.fetcher.fail();
      CHECK(test.knows("1"));
      CHECK(test.complete());
    }
    test.pass(end - test.timers.now().monotonic - 1ms);
    CHECK(test.knows("1"));
    test.pass(1ms);
    CHECK_FALSE(test.knows("1"));
    CHECK_FALSE(test.complete());
    CHECK(test.keys.loaded());  // once
    if (test.fetcher.under_way() == 0) test.pass(60s);
    test.fetcher.answer(rsa_set("1"));
    CHECK(test.knows("1"));
    CHECK(test.complete());
  }

  TEST_CASE("a set that cannot be read, or has nothing of use, leaves those at hand") {
    Fixture test;
    test.fetcher.answer(rsa_set("1"), "\"v1\"", 100s);
    for (const char* bad : {"<html>", R"({"keys":[]})", R"({"keys":[{"kty":"oct","k":"AAAA"}]})"}) {
      CAPTURE(bad);
      test.pass(90s);
      REQUIRE(test.fetcher.under_way() == 1);
      CHECK(test.fetcher.oldest().etag == "\"v1\"");
      test.fetcher.answer(std::string(bad), "\"v2\"", 100s);
      CHECK(test.knows("1"));
      CHECK(test.complete());
      CHECK(test.status().last_error.starts_with("bad_key_set: "));
    }
  }

  TEST_CASE("of one authenticator are known together with those of its policy") {
    Fixture test(
        "issuer: any, keys: [ { jwks_url: https://a.example/ }, { jwks_url: https://b.example/ } "
        "]");
    REQUIRE(test.fetcher.under_way() == 2);
    test.fetcher.answer(rsa_set("1"));
    CHECK(test.knows("1"));
    CHECK_FALSE(test.complete());
    CHECK_FALSE(test.keys.loaded());
    test.fetcher.answer(ec_set("1"));
    CHECK(test.knows("1", Algorithm::ES256));
    CHECK(test.complete());
    CHECK(test.keys.loaded());
  }

  TEST_CASE("say how they stand") {
    Fixture test;
    CHECK(test.status().authenticator == "users");
    CHECK(test.status().origin == "https://id.example.com");
    CHECK_FALSE(test.status().fetched);
    test.fetcher.fail({Kind::Status, 503});
    CHECK(test.status().last_error == "status_503");
    CHECK(test.status().failures == 1);
    test.pass(1s);
    test.fetcher.answer(tests::jwk_set(tests::rsa_key().jwk() + ",1"), {}, 100s);
    const auto status = test.status();
    CHECK(status.last_error.empty());
    CHECK(status.keys == 1);
    CHECK(status.left_out == 1);
    CHECK(status.first_left_out.starts_with("keys[1]: "));
    CHECK(status.fetched == test.timers.now().monotonic);
    CHECK(status.good_until == test.timers.now().monotonic + 100s + 24h);
    CHECK(status.fetches == 2);
    CHECK(status.failures == 1);
    CHECK(status.failures_in_a_row == 0);
  }
}

TEST_SUITE("Keys that a token names") {
  TEST_CASE("are looked for once, however many ask, and then not for a while") {
    Fixture test;
    test.fetcher.answer(rsa_set("1"), {}, 1h);
    for (int i = 0; i < 1'000; ++i) test.keys.look_for_unknown_key(test.users());
    REQUIRE(test.fetcher.under_way() == 1);
    test.news = 0;
    test.fetcher.answer(rsa_set("2"), {}, 1h);
    CHECK(test.news == 1);
    CHECK(test.knows("2"));
    test.pass(9s);
    test.keys.look_for_unknown_key(test.users());
    CHECK(test.fetcher.under_way() == 0);
    CHECK(test.news == 2);  // the answer, all the same
    CHECK(test.known.find(*test.users())->unknown_key_from == test.timers.now().monotonic + 1s);
    test.pass(1s);
    test.keys.look_for_unknown_key(test.users());
    CHECK(test.fetcher.under_way() == 1);
  }

  TEST_CASE("while a fetch is under way are waited for there") {
    Fixture test;
    test.fetcher.answer(rsa_set("1"), {}, 100s);
    test.pass(90s);
    REQUIRE(test.fetcher.under_way() == 1);
    test.news = 0;
    test.keys.look_for_unknown_key(test.users());
    CHECK(test.fetcher.under_way() == 1);
    CHECK(test.news == 0);
    test.fetcher.fail();
    CHECK(test.news == 1);
  }
}

TEST_SUITE("OpenID Connect Discovery 1.0: an issuer's keys") {
  TEST_CASE("are where its configuration says") {
    Fixture test(discovered);
    CHECK(test.fetcher.oldest().url.text == configuration_url);
    test.fetcher.answer(configuration("https://keys.example.com/a"));
    REQUIRE(test.fetcher.under_way() == 1);
    CHECK(test.fetcher.oldest().url.text == "https://keys.example.com/a");
    test.fetcher.answer(rsa_set("1"), "\"v1\"", 100s);
    CHECK(test.knows("1"));
  }

  TEST_CASE("are asked for at another place once it says so, by no name from the first") {
    Fixture test(discovered);
    test.fetcher.answer(configuration("https://keys.example.com/a"));
    test.fetcher.answer(rsa_set("1"), "\"v1\"", 100s);
    test.pass(90s);
    test.fetcher.answer(configuration("https://keys.example.com/a"));
    CHECK(test.fetcher.oldest().etag == "\"v1\"");
    test.fetcher.not_modified();
    test.pass(5min);
    test.fetcher.answer(configuration("https://keys.example.com/b"));
    CHECK(test.fetcher.oldest().url.text == "https://keys.example.com/b");
    CHECK(test.fetcher.oldest().etag.empty());
  }

  TEST_CASE("are not asked for where its configuration is another's, or leads where it may not") {
    const std::map<std::string, std::string> wrong = {
        {configuration("https://keys.example.com/", "https://id.example.com/a/"),
         "configuration_of_another_issuer"},
        {configuration("http://keys.example.com/"), "jwks_uri_not_allowed"},
        {configuration("http://127.0.0.1/"), "jwks_uri_not_allowed"},  // TLS does not lead to none
        {configuration("file:///etc/passwd"), "jwks_uri_not_allowed"},
        {configuration("https://user:secret@keys.example.com/"), "jwks_uri_not_allowed"},
        {"<html>", "configuration_malformed"},
        {R"({"issuer":"https://id.example.com/a"})", "configuration_without_jwks_uri"},
    };
    for (const auto& [body, error] : wrong) {
      CAPTURE(body);
      Fixture test(discovered);
      test.fetcher.answer(body);
      CHECK(test.fetcher.under_way() == 0);
      CHECK(test.status().last_error == error);
      CHECK_FALSE(test.complete());
    }
  }

  TEST_CASE("of an issuer on this machine may come without TLS") {
    Fixture test("issuer: http://127.0.0.1:9000, discover: true");
    test.fetcher.answer(configuration("http://127.0.0.1:9000/jwks", "http://127.0.0.1:9000"));
    REQUIRE(test.fetcher.under_way() == 1);
    CHECK(test.fetcher.oldest().url.text == "http://127.0.0.1:9000/jwks");
  }

  TEST_CASE("go on where another policy fetches them from the same place") {
    Fixture test;
    test.fetcher.answer(rsa_set("1"), "\"v1\"", 100s);
    test.policy = policy_with(by_url);
    const auto news = test.keys.adopt(authenticators_of(*test.policy));
    REQUIRE(news.size() == 1);
    CHECK(news[0].authenticator == test.users());
    CHECK(news[0].complete);
    CHECK(news[0].keys->names(Algorithm::RS256, "1"));
    CHECK(test.fetcher.under_way() == 0);
    CHECK(test.status().fetches == 1);
    test.pass(90s);
    REQUIRE(test.fetcher.under_way() == 1);
    CHECK(test.fetcher.oldest().etag == "\"v1\"");
    test.fetcher.answer(rsa_set("2"));
    CHECK(test.knows("2"));
  }

  TEST_CASE("that are under way under one policy come to the next") {
    Fixture test;
    test.policy = policy_with(by_url);
    const auto news = test.keys.adopt(authenticators_of(*test.policy));
    CHECK_FALSE(news.at(0).complete);
    CHECK(news.at(0).fetching);
    test.fetcher.answer(rsa_set("1"));
    CHECK(test.knows("1"));
  }

  TEST_CASE("of another place are fetched at once, and those of the one before are not asked for") {
    Fixture test;
    test.fetcher.answer(rsa_set("1"), {}, 100s);
    test.policy =
        policy_with("issuer: any, keys: [ { jwks_url: https://other.example.com/keys } ]");
    const auto before = test.news;
    const auto news = test.keys.adopt(authenticators_of(*test.policy));
    CHECK_FALSE(news.at(0).complete);
    CHECK_FALSE(news.at(0).keys->names(Algorithm::RS256, "1"));
    REQUIRE(test.fetcher.under_way() == 1);
    CHECK(test.fetcher.oldest().url.text == "https://other.example.com/keys");
    test.fetcher.answer(rsa_set("2"));
    CHECK(test.knows("2"));
    CHECK(test.news == before + 1);
    CHECK(test.keys.status().size() == 1);
  }

  TEST_CASE("are chosen anew where the next policy allows other algorithms") {
    Fixture test;
    test.fetcher.answer(tests::jwk_set(tests::rsa_key().jwk(R"(,"kid":"1")") + "," +
                                       tests::ec_key(Algorithm::ES256).jwk(R"(,"kid":"2")")));
    auto loaded = parse_policy(
        "policy.yaml",
        "version: 1\nlisten: [ { address: 127.0.0.1:8080 } ]\n"
        "authenticators: { users: { jwt: { audience: any, algorithms: [ES256], issuer: any, "
        "keys: [ { jwks_url: https://id.example.com/keys } ] } } }\n"
        "routes: [ { path: /chat, authenticate: [users] } ]\n",
        [](const std::string&) { return std::nullopt; });
    REQUIRE(loaded);
    const auto news = test.keys.adopt(authenticators_of(*loaded->policy));
    CHECK(news.at(0).keys->names(Algorithm::ES256, "2"));
    CHECK_FALSE(news.at(0).keys->names(Algorithm::RS256, "1"));
    CHECK(test.status().keys == 1);
  }

  TEST_CASE("are not looked for on behalf of an authenticator that is gone") {
    Fixture test;
    test.fetcher.answer(rsa_set("1"), {}, 100s);
    const auto gone = test.users();
    test.policy = policy_with(by_url);
    test.keys.adopt(authenticators_of(*test.policy));
    const auto before = test.news;
    test.keys.look_for_unknown_key(gone);
    CHECK(test.fetcher.under_way() == 0);
    CHECK(test.news == before);
    test.keys.look_for_unknown_key(test.users());
    CHECK(test.fetcher.under_way() == 1);
  }
}
