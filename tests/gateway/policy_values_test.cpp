#include "gateway/policy_values.h"

#include <doctest/doctest.h>

using namespace gateway;
using namespace std::chrono_literals;

TEST_SUITE("durations, sizes, rates and times") {
  TEST_CASE("a duration is a whole number and its unit") {
    CHECK(parse_duration("500ms") == 500ms);
    CHECK(parse_duration("5s") == 5s);
    CHECK(parse_duration("1m") == 1min);
    CHECK(parse_duration("24h") == 24h);
    CHECK(parse_duration("0s") == 0s);
    for (const char* text : {"", "5", "s", "5 s", " 5s", "5s ", "-5s", "+5s", "1.5s", "5S", "5sec",
                             "05s", "5d", "1h30m", "0x5s", "5s\n"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_duration(text));
    }
  }

  TEST_CASE("a duration that does not fit is none") {
    CHECK(parse_duration("9223372036854775807ms") == Milliseconds(9223372036854775807));
    CHECK_FALSE(parse_duration("9223372036854775808ms"));
    CHECK_FALSE(parse_duration("9223372036854776s"));
    CHECK_FALSE(parse_duration("99999999999999999999h"));
  }

  TEST_CASE("a size is a whole number and its unit, of 1024") {
    CHECK(parse_size("512B") == 512);
    CHECK(parse_size("64KiB") == 65536);
    CHECK(parse_size("1MiB") == 1048576);
    CHECK(parse_size("2GiB") == 2147483648);
    for (const char* text :
         {"64", "64K", "64KB", "64k", "64kib", "64 KiB", "1.5MiB", "-1B", "01B"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_size(text));
    }
    CHECK_FALSE(parse_size("17179869184GiB"));  // 2^64 octets
    CHECK_FALSE(parse_size("8589934592GiB"));   // 2^63 octets
  }

  TEST_CASE("a rate is per second, whichever way it is written") {
    CHECK(parse_rate("10/s") == 10.0);
    CHECK(parse_rate("600/m") == 10.0);
    CHECK(parse_rate("1/m") == doctest::Approx(1.0 / 60));
    CHECK(parse_octet_rate("256KiB/s") == 262144.0);
    CHECK(parse_octet_rate("60B/m") == 1.0);
    for (const char* text : {"10", "10/h", "/s", "10/", "s", "1.5/s", "10 /s", "10/s/s", "-1/s"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_rate(text));
    }
    CHECK_FALSE(parse_rate("10KiB/s"));
    CHECK_FALSE(parse_octet_rate("10/s"));
  }

  TEST_CASE("a number is decimal, without what other readers take for octal or a sign") {
    CHECK(parse_number("0") == 0);
    CHECK(parse_number("18446744073709551615") == 18446744073709551615u);
    for (const char* text : {"", "010", "00", "0x10", "1_000", "+1", "-1", "1.0", "1e3", " 1", "1 ",
                             "18446744073709551616"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_number(text));
    }
  }

  TEST_CASE("what is shown is what would be read") {
    for (const char* text : {"500ms", "5s", "1m", "24h", "1500ms", "90s"}) {
      CHECK(show_duration(*parse_duration(text)) == text);
    }
    CHECK(show_duration(0ms) == "0s");
    CHECK(show_size(1024) == "1KiB");
    CHECK(show_size(1025) == "1025B");
  }
}

TEST_SUITE("servers of a backend") {
  TEST_CASE("host, port and base of a URL") {
    auto server = parse_server("ws://chat.internal:9001/base/path");
    REQUIRE(server);
    CHECK(server->host == "chat.internal");
    CHECK(server->port == 9001);
    CHECK(server->base == "/base/path");
    CHECK(server->text == "ws://chat.internal:9001/base/path");
  }

  TEST_CASE("a port left out is 80, and a '/' alone is no base") {
    for (const char* url : {"ws://127.0.0.1", "ws://127.0.0.1/"}) {
      auto server = parse_server(url);
      REQUIRE(server);
      CHECK(server->host == "127.0.0.1");
      CHECK(server->port == 80);
      CHECK(server->base == "");
    }
  }

  TEST_CASE("a server with TLS, whose port left out is 443") {
    CHECK(parse_server("wss://chat.internal")->tls);
    CHECK(parse_server("wss://chat.internal")->port == 443);
    CHECK(parse_server("wss://[::1]:9443/base")->port == 9443);
    CHECK_FALSE(parse_server("ws://chat.internal")->tls);
    CHECK_FALSE(parse_server("WSS://chat.internal"));
  }

  TEST_CASE("an IPv6 address stands in brackets and is kept without them") {
    auto server = parse_server("ws://[::1]:9001");
    REQUIRE(server);
    CHECK(server->host == "::1");
    CHECK(server->port == 9001);
    CHECK_FALSE(parse_server("ws://::1:9001"));
    CHECK_FALSE(parse_server("ws://[::1"));
    CHECK_FALSE(parse_server("ws://[::1]9001"));
    CHECK_FALSE(parse_server("ws://[127.0.0.1]:9001"));
  }

  TEST_CASE("what is no server") {
    for (const char* url :
         {"",           "ws://",       "ws:127.0.0.1", "WS://127.0.0.1",  "http://127.0.0.1",
          "ws://:80",   "ws://a:b",    "ws://a:",      "ws://a:0",        "ws://a:65536",
          "ws://a:080", "ws://user@a", "ws://a?b",     "ws://a#b",        "ws://a/b/",
          "ws://a/b?c", "ws://a/../b", "ws://a//b",    "ws://a/%2e%2e/b", "ws://a b",
          "ws://a\r\nb"}) {
      CAPTURE(url);
      CHECK_FALSE(parse_server(url));
    }
  }
}
