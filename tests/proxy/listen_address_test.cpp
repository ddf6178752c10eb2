#include "proxy/listen_address.h"

#include <doctest/doctest.h>

using proxy::ListenAddress;

TEST_CASE("what is listened on is a socket address or the absolute path of a Unix socket") {
  const auto text_of = [](std::string_view text) {
    const auto address = ListenAddress::parse(text);
    return address ? address->to_string() : "none";
  };
  for (const auto* good : {"127.0.0.1:8080", "[::1]:8443", "unix:/run/gatehouse.sock"}) {
    CHECK(text_of(good) == good);
  }
  for (const auto* bad : {"", "unix:", "unix:run/gatehouse.sock", "unix:/run/", "UNIX:/run/a",
                          "/run/gatehouse.sock", "127.0.0.1", "unix:@abstract"}) {
    CAPTURE(bad);
    CHECK(text_of(bad) == "none");
  }
  CHECK(ListenAddress::parse("unix:/run/a")->is_unix());
  CHECK(!ListenAddress::parse("127.0.0.1:80")->is_unix());
}

TEST_CASE("a path has room in a sockaddr_un") {
  const std::string longest = "/" + std::string(ListenAddress::path_octets_max - 1, 'x');
  CHECK(ListenAddress::parse("unix:" + longest));
  CHECK(!ListenAddress::parse("unix:" + longest + "x"));
}
