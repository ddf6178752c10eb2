#include "proxy/fetch_url.h"

#include <doctest/doctest.h>

using proxy::FetchUrl;
using proxy::parse_fetch_url;

namespace {

std::string error_of(std::string_view url) {
  const auto parsed = parse_fetch_url(url);
  return parsed ? "" : parsed.error();
}

bool same_origin(std::string_view a, std::string_view b) {
  return parse_fetch_url(a).value().same_origin(parse_fetch_url(b).value());
}

}  // namespace

TEST_SUITE("URLs that are fetched") {
  TEST_CASE("https, with port, path and query or without") {
    const auto plain = parse_fetch_url("https://id.example.com").value();
    CHECK(plain.secure);
    CHECK(plain.host == "id.example.com");
    CHECK(plain.port == 443);
    CHECK(plain.origin() == "https://id.example.com");
    const auto full = parse_fetch_url("https://ID.Example.com:8443/a/%7Eb/keys?v=1&k=s").value();
    CHECK(full.host == "id.example.com");
    CHECK(full.port == 8443);
    CHECK(full.text == "https://ID.Example.com:8443/a/%7Eb/keys?v=1&k=s");
    CHECK(full.origin() == "https://id.example.com:8443");
    CHECK(parse_fetch_url("https://[2001:db8::1]:9/k").value().host == "2001:db8::1");
    CHECK(parse_fetch_url("https://[2001:db8::1]:9/k").value().origin() ==
          "https://[2001:db8::1]:9");
    CHECK(parse_fetch_url("https://10.0.0.1?k").value().host == "10.0.0.1");
  }

  TEST_CASE("http only to this machine itself") {
    for (const char* url : {"http://127.0.0.1:8000/k", "http://127.9.9.9/k", "http://[::1]/k",
                            "http://localhost:8000/k", "http://LOCALHOST/k"}) {
      CAPTURE(url);
      CHECK(error_of(url) == "");
      CHECK_FALSE(parse_fetch_url(url).value().secure);
    }
    CHECK(parse_fetch_url("http://localhost/k").value().port == 80);
    for (const char* url :
         {"http://id.example.com/k", "http://10.0.0.1/k", "http://localhost.example.com/k",
          "http://127.0.0.1.example.com/k", "http://2130706433/k", "http://0x7f.1/k",
          "http://127.1/k", "http://[::2]/k", "http://0.0.0.0/k", "http://notlocalhost/k"}) {
      CAPTURE(url);
      CHECK(error_of(url).starts_with("'http://' only to loopback"));
    }
  }

  TEST_CASE("what two parsers may read differently is none") {
    for (const char* url : {"",
                            "https:",
                            "https://",
                            "https:///k",
                            "//id.example.com/k",
                            "HTTPS://h/k",
                            "https:/h/k",
                            "ftp://h/k",
                            "file:///etc/passwd",
                            "gopher://h/",
                            "https://h:0/",
                            "https://h:65536/",
                            "https://h:/",
                            "https://h:x/",
                            "https://[::1/",
                            "https://[v1.x]/",
                            "https://a b/",
                            "https://h/a b",
                            "https://h\\@evil.example/",
                            "https://h/\r\nX: 1",
                            "https://h/\x7f",
                            "https://h/\xc3\xa9",
                            "https://%68/",
                            "https://h,evil.example/",
                            "https://a..b/"}) {
      CAPTURE(url);
      CHECK(error_of(url) != "");
    }
    CHECK(error_of(std::string_view("https://h/\0k", 12)) != "");
  }

  TEST_CASE("no user, no password, no fragment") {
    CHECK(error_of("https://user:secret@h/k").contains("'@'"));
    CHECK(error_of("https://user@h").contains("'@'"));
    CHECK(error_of("https://good.example@evil.example/k").contains("'@'"));
    CHECK(error_of("https://h/k#f").contains("'#'"));
    CHECK(error_of("https://h#@evil.example/k").contains("'#'"));
    CHECK(error_of("https://h/k@v?x=@") == "");
  }

  TEST_CASE("no error shows a part of the URL") {
    for (const char* url : {"https://user:secret@h/k", "http://h/?secret", "ftp://secret/",
                            "https://h/#secret", "https://secret:x/"}) {
      CAPTURE(url);
      CHECK_FALSE(error_of(url).contains("secret"));
    }
  }

  TEST_CASE("at most 2048 octets") {
    const std::string begin = "https://h/";
    CHECK(error_of(begin + std::string(2048 - begin.size(), 'k')) == "");
    CHECK(error_of(begin + std::string(2049 - begin.size(), 'k')) != "");
  }

  TEST_CASE("one origin is one scheme, one host in any case and one port") {
    CHECK(same_origin("https://h/a", "https://H:443/b?c"));
    CHECK_FALSE(same_origin("https://h/a", "https://h.example/a"));
    CHECK_FALSE(same_origin("https://h/a", "https://h:8443/a"));
    CHECK_FALSE(same_origin("https://localhost:80/a", "http://localhost/a"));
  }
}
