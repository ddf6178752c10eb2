#include "auth/origin.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using auth::OriginPattern;

namespace {

bool allows(std::string_view pattern, std::string_view origin) {
  auto parsed = OriginPattern::parse(pattern);
  REQUIRE_MESSAGE(parsed.has_value(), pattern);
  return auth::origin_allowed({*std::move(parsed)}, origin);
}

}  // namespace

TEST_SUITE("RFC 6455 section 10.2: Origin") {
  TEST_CASE("scheme, host and port exactly") {
    CHECK(allows("https://app.example.com", "https://app.example.com"));
    for (const char* other :
         {"http://app.example.com", "https://example.com", "https://app.example.com.evil.com",
          "https://evilapp.example.com", "https://app.example.com:8443", "https://app.example.co",
          "https://app.example.com.", "https://x.app.example.com", "wss://app.example.com"}) {
      CAPTURE(other);
      CHECK_FALSE(allows("https://app.example.com", other));
    }
  }

  TEST_CASE("upper case is folded in scheme and host, on both sides") {
    CHECK(allows("https://app.example.com", "HTTPS://App.Example.COM"));
    CHECK(allows("HTTPS://App.Example.COM", "https://app.example.com"));
  }

  TEST_CASE("the default port is the same as none, on both sides") {
    CHECK(allows("https://app.example.com", "https://app.example.com:443"));
    CHECK(allows("https://app.example.com:443", "https://app.example.com"));
    CHECK(allows("http://app.example.com", "http://app.example.com:80"));
    CHECK_FALSE(allows("https://app.example.com", "https://app.example.com:80"));
    CHECK_FALSE(allows("http://app.example.com", "http://app.example.com:443"));
    CHECK(allows("http://localhost:3000", "http://localhost:3000"));
    CHECK_FALSE(allows("http://localhost:3000", "http://localhost"));
    CHECK_FALSE(allows("http://localhost", "http://localhost:3000"));
  }

  TEST_CASE("a wildcard is one whole label") {
    CHECK(allows("https://*.example.com", "https://app.example.com"));
    CHECK(allows("https://*.Example.com", "https://APP.example.COM"));
    for (const char* other :
         {"https://example.com", "https://a.b.example.com", "https://.example.com",
          "https://evilexample.com", "https://app.example.com.evil.com",
          "https://good.example.evil.com", "https://app.evil-example.com", "http://app.example.com",
          "https://app.example.com:444", "https://*.example.com"}) {
      CAPTURE(other);
      CHECK_FALSE(allows("https://*.example.com", other));
    }
    CHECK(allows("https://*.example.com:8443", "https://app.example.com:8443"));
    CHECK_FALSE(allows("https://*.example.com:8443", "https://app.example.com"));
  }

  TEST_CASE("the star alone is any but null and what is no origin") {
    for (const char* good : {"https://a.example", "http://127.0.0.1:8080", "http://[::1]:80",
                             "chrome-extension://abcdefghijklmnop", "capacitor://localhost"}) {
      CAPTURE(good);
      CHECK(allows("*", good));
    }
    for (const char* bad : {"null", "NULL", "", " ", "https://", "https:///", "//a.example",
                            "a.example", "https:a.example", "https://a.example/", "file://"}) {
      CAPTURE(bad);
      CHECK_FALSE(allows("*", bad));
    }
  }

  TEST_CASE("what is no serialized origin never matches") {
    for (const char* bad : {"",
                            "null",
                            "https://app.example.com/",
                            "https://app.example.com/x",
                            "https://app.example.com?x",
                            "https://app.example.com#x",
                            "https://u@app.example.com",
                            "https://app.example.com@evil.com",
                            "https://app.example.com:",
                            "https://app.example.com:0",
                            "https://app.example.com:0443",
                            "https://app.example.com:65536",
                            "https://app.example.com:443:443",
                            "https://app.example.com:+443",
                            "https://app.example.com https://evil.com",
                            "https://app.example.com,https://evil.com",
                            " https://app.example.com",
                            "https://app.example.com ",
                            "https:// app.example.com",
                            "https://app.example.com\t",
                            "https://app.example.com\\",
                            "https://app.example.com%2f",
                            "https://app_.example.com:x",
                            "1https://app.example.com",
                            "://app.example.com"}) {
      CAPTURE(bad);
      CHECK_FALSE(allows("https://app.example.com", bad));
      CHECK_FALSE(allows("*", bad));
    }
    CHECK_FALSE(allows("*", std::string_view("https://a\0.example", 18)));
  }

  TEST_CASE("IPv6 addresses stand in brackets") {
    CHECK(allows("http://[::1]:3000", "http://[::1]:3000"));
    CHECK(allows("http://[FE80::1]", "http://[fe80::1]:80"));
    CHECK_FALSE(allows("http://[::1]:3000", "http://[::2]:3000"));
    for (const char* bad : {"http://[::1", "http://[]", "http://[::1]x", "http://[::1]:",
                            "http://::1", "http://[::1%25eth0]", "http://[g::1]"}) {
      CAPTURE(bad);
      CHECK_FALSE(allows("*", bad));
      CHECK_FALSE(OriginPattern::parse(bad));
    }
  }

  TEST_CASE("one of several patterns is enough, none allows nothing") {
    const std::vector<OriginPattern> patterns = {*OriginPattern::parse("https://a.example"),
                                                 *OriginPattern::parse("https://*.b.example")};
    CHECK(auth::origin_allowed(patterns, "https://a.example"));
    CHECK(auth::origin_allowed(patterns, "https://x.b.example"));
    CHECK_FALSE(auth::origin_allowed(patterns, "https://c.example"));
    CHECK_FALSE(auth::origin_allowed({}, "https://a.example"));
  }

  TEST_CASE("a pattern that could be meant in another way is a policy error") {
    for (const char* bad : {"",
                            "null",
                            "Null",
                            "app.example.com",
                            "https://",
                            "https://app.example.com/",
                            "https://app.example.com/x",
                            "https://*",
                            "https://*.",
                            "https://a*.example.com",
                            "https://*a.example.com",
                            "https://*.*.example.com",
                            "https://a.*.example.com",
                            "*://app.example.com",
                            "*.example.com",
                            "https://app.example.com:*",
                            "http://*.[::1]",
                            "https://m\xc3\xbcnchen.example",
                            "https://app.example.com ",
                            "https://u@app.example.com",
                            "https://app.example.com:99999",
                            "**"}) {
      CAPTURE(bad);
      const auto parsed = OriginPattern::parse(bad);
      REQUIRE_FALSE(parsed);
      CHECK_FALSE(parsed.error().empty());
    }
  }
}
