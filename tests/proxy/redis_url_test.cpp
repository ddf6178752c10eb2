#include "proxy/redis_url.h"

#include <doctest/doctest.h>

using namespace proxy;

TEST_SUITE("Redis URL") {
  TEST_CASE("a host alone has the port of Redis, its first database and no password") {
    const auto server = parse_redis_url("redis://redis.internal").value();
    CHECK(server.host == "redis.internal");
    CHECK(server.port == 6379);
    CHECK(server.database == 0);
    CHECK(server.user.empty());
    CHECK(server.password.empty());
    CHECK(server.unix_path.empty());
  }

  TEST_CASE("port, database, user and password") {
    const auto server = parse_redis_url("redis://gate:se%40c%2Fret@10.0.0.1:7000/12").value();
    CHECK(server.host == "10.0.0.1");
    CHECK(server.port == 7000);
    CHECK(server.database == 12);
    CHECK(server.user == "gate");
    CHECK(server.password == "se@c/ret");
  }

  TEST_CASE("a password without a user is the default user's") {
    const auto server = parse_redis_url("redis://:secret@h/").value();
    CHECK(server.user.empty());
    CHECK(server.password == "secret");
  }

  TEST_CASE("is shown as it was read, without its password") {
    const auto shown = [](std::string_view url) { return show_redis_url(*parse_redis_url(url)); };
    CHECK(shown("redis://h") == "redis://h:6379/0");
    CHECK(shown("redis://gate:se%40cret@10.0.0.1:7000/12") == "redis://gate:***@10.0.0.1:7000/12");
    CHECK(shown("redis://:secret@[::1]/") == "redis://:***@[::1]:6379/0");
    CHECK(shown("unix://:secret@/run/redis.sock?db=2") == "unix://:***@/run/redis.sock?db=2");
    CHECK(shown("unix:///run/redis.sock") == "unix:///run/redis.sock?db=0");
  }

  TEST_CASE("an IPv6 address stands in brackets") {
    const auto server = parse_redis_url("redis://[::1]:7000/1").value();
    CHECK(server.host == "::1");
    CHECK(server.port == 7000);
    CHECK(parse_redis_url("redis://[::1]").value().host == "::1");
  }

  TEST_CASE("a Unix socket, with what it asks for") {
    const auto plain = parse_redis_url("unix:///run/redis/a@b.sock").value();
    CHECK(plain.unix_path == "/run/redis/a@b.sock");
    CHECK(plain.host.empty());
    const auto full = parse_redis_url("unix://u:p@/run/redis.sock?db=3").value();
    CHECK(full.unix_path == "/run/redis.sock");
    CHECK(full.user == "u");
    CHECK(full.password == "p");
    CHECK(full.database == 3);
  }

  TEST_CASE("what is not such a URL is refused") {
    for (const auto* url : {"",
                            "redis:",
                            "http://h",
                            "h:6379",
                            "redis://",
                            "redis://:6379",
                            "redis://h:0",
                            "redis://h:65536",
                            "redis://h:x",
                            "redis://h/x",
                            "redis://h/-1",
                            "redis://h/2147483648",
                            "redis://h/0/1",
                            "redis://user@h",
                            "redis://user:@h",
                            "redis://a:%zz@h",
                            "redis://a:%0@h",
                            "redis://a:%00@h",
                            "redis://a b",
                            "unix://",
                            "unix://run/x",
                            "unix:///x?db=",
                            "unix:///x?database=1"}) {
      CAPTURE(url);
      CHECK_FALSE(parse_redis_url(url));
    }
    CHECK(parse_redis_url("unix:///" + std::string(106, 'x')));
    CHECK_FALSE(parse_redis_url("unix:///" + std::string(107, 'x')));
    CHECK_FALSE(parse_redis_url("redis://:" + std::string(redis_url_octets_max, 'x') + "@h"));
  }

  TEST_CASE("TLS is refused in words of its own") {
    const auto server = parse_redis_url("rediss://h");
    REQUIRE_FALSE(server);
    CHECK(server.error().contains("TLS"));
  }

  TEST_CASE("no error shows a password") {
    for (const auto* url : {"redis://u:hunter2@h:x", "redis://u:hunter2%zz@h", "http://u:hunter2@h",
                            "redis://u:hunter2@h/x", "rediss://u:hunter2@h", "redis://hunter2@h"}) {
      const auto server = parse_redis_url(url);
      REQUIRE_FALSE(server);
      CHECK_FALSE(server.error().contains("hunter2"));
    }
  }
}
