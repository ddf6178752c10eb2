#include "auth/base64url.h"

#include <string>

#include <doctest/doctest.h>

using auth::base64url_decode;
using auth::base64url_encode;

TEST_SUITE("RFC 7515 section 2: base64url") {
  TEST_CASE("the vectors of RFC 4648 section 10 without padding, both ways") {
    const std::string texts[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"},
    };
    for (const auto& [octets, text] : texts) {
      CHECK(base64url_encode(octets) == text);
      CHECK(base64url_decode(text) == octets);
    }
  }

  TEST_CASE("the example of RFC 7515 appendix C") {
    const std::string octets = {'\x03', '\xec', '\xff', '\xe0', '\xc1'};
    CHECK(base64url_encode(octets) == "A-z_4ME");
    CHECK(base64url_decode("A-z_4ME") == octets);
  }

  TEST_CASE("every octet at every place of a group comes back") {
    for (int value = 0; value < 256; ++value) {
      for (std::size_t length = 1; length <= 6; ++length) {
        const std::string octets(length, static_cast<char>(value));
        CHECK(base64url_decode(base64url_encode(octets)) == octets);
      }
    }
  }

  TEST_CASE("padding, another alphabet, white space and NUL are refused anywhere") {
    for (const std::string bad : {"=", "+", "/", " ", "\n", "\r", "\t", ".", ",", "\x80", "\xff"}) {
      CAPTURE(bad);
      for (const std::string good : {"Zg", "Zm8", "Zm9v", "Zm9vYmFy"}) {
        for (std::size_t at = 0; at <= good.size(); ++at) {
          CHECK_FALSE(base64url_decode(std::string(good).insert(at, bad)));
          if (at < good.size())
            CHECK_FALSE(base64url_decode(std::string(good).replace(at, 1, bad)));
        }
      }
    }
    CHECK_FALSE(base64url_decode("Zg=="));
    CHECK_FALSE(base64url_decode("Zm8="));
    CHECK_FALSE(base64url_decode(std::string("Zm9\0", 4)));
  }

  TEST_CASE("a lone digit is no octet") {
    CHECK_FALSE(base64url_decode("A"));
    CHECK_FALSE(base64url_decode("Zm9vA"));
  }

  TEST_CASE("bits that no octet takes must be zero: one text for each octet string") {
    CHECK(base64url_decode("Zg") == "f");
    CHECK_FALSE(base64url_decode("Zh"));
    CHECK_FALSE(base64url_decode("Zv"));
    CHECK(base64url_decode("Zm8") == "fo");
    CHECK_FALSE(base64url_decode("Zm9"));
    CHECK_FALSE(base64url_decode("Zm-"));
  }
}
