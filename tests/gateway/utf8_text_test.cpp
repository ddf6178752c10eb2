#include "gateway/utf8_text.h"

#include <doctest/doctest.h>

using namespace gateway;

TEST_SUITE("text that somebody else wrote (RFC 3629)") {
  TEST_CASE("valid sequences of each length are valid to their end") {
    for (std::string_view text : {"", "abc", "é", "€", "😀", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
      CAPTURE(text);
      CHECK(valid_utf8_prefix(text) == text.size());
    }
  }

  TEST_CASE("overlong forms, surrogates, what is over U+10FFFF and cut sequences end it") {
    for (std::string_view bad :
         {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98", "\xff"}) {
      CAPTURE(bad);
      CHECK(valid_utf8_prefix("ab" + std::string(bad)) == 2);
    }
  }

  TEST_CASE("what a terminal would obey is shown as numbers") {
    CHECK(printable("a\r\n\x1b[2Jb") == "a\\x0d\\x0a\\x1b[2Jb");
    CHECK(printable("\xff€") == "\\xff€");
    CHECK(printable("\x7f") == "\\x7f");
  }

  TEST_CASE("a long text is cut between characters") {
    CHECK(printable(std::string(printable_octets_max, 'a')) == std::string(80, 'a'));
    CHECK(printable(std::string(printable_octets_max + 1, 'a')) == std::string(80, 'a') + "…");
    std::string text(printable_octets_max - 1, 'a');
    CHECK(printable(text + "€€") == text + "€…");
  }

  TEST_CASE("control characters are those below the space, and DEL") {
    CHECK(has_control_characters("a\tb"));
    CHECK(has_control_characters("\x7f"));
    CHECK(has_control_characters(std::string_view("\0", 1)));
    CHECK_FALSE(has_control_characters("a b é"));
  }
}
