#include "proxy/host.h"

#include <string>

#include <doctest/doctest.h>

using namespace std::literals;

TEST_SUITE("RFC 9110 section 7.2: Host") {
  TEST_CASE("a name, an IPv4 address or an IPv6 address in brackets, perhaps with a port") {
    for (const std::string host :
         {"example.com", "EXAMPLE.com", "a", "a.b.c", "example.com.", "localhost:8080", "127.0.0.1",
          "127.0.0.1:65535", "my_service", "a-b~c", "[::1]", "[::1]:80", "[2001:db8::1]:443",
          "[::ffff:1.2.3.4]", "example.com:", "a:0", "xn--bcher-kva.example"}) {
      CAPTURE(host);
      CHECK(proxy::well_formed_host(host));
    }
  }

  TEST_CASE("nothing else") {
    for (const auto& host : {""s,
                             ":80"s,
                             "."s,
                             ".a"s,
                             "a..b"s,
                             "a:65536"s,
                             "a:000080"s,
                             "a:4294967376"s,
                             "a:100000"s,
                             "a:-1"s,
                             "a:+1"s,
                             "a:8o"s,
                             "a:80:80"s,
                             "a b"s,
                             "a/b"s,
                             "a\\b"s,
                             "u@a"s,
                             "a,b"s,
                             "a;b"s,
                             "a?b"s,
                             "a#b"s,
                             "a%20b"s,
                             "a%2eb"s,
                             "a\0b"s,
                             "a\tb"s,
                             "caf\xC3\xA9"s,
                             "[]"s,
                             "[::1"s,
                             "::1"s,
                             "[1.2.3.4]"s,
                             "[::1]80"s,
                             "[::1]:x"s,
                             "[::1%25eth0]"s,
                             "[fe80::1%eth0]"s,
                             "[v1.a]"s,
                             "[::1]]"s,
                             "[g::]"s,
                             "a[::1]"s,
                             "http://a"s,
                             "*"s,
                             "<a>"s,
                             "a'b"s,
                             "a\"b"s}) {
      CAPTURE(host);
      CHECK_FALSE(proxy::well_formed_host(host));
    }
  }
}
