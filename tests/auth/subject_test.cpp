#include "auth/subject.h"

#include <string>

#include <doctest/doctest.h>

using auth::valid_subject;

TEST_SUITE("Subjects") {
  TEST_CASE("1 to 256 octets") {
    CHECK_FALSE(valid_subject(""));
    CHECK(valid_subject("a"));
    CHECK(valid_subject(std::string(256, 'a')));
    CHECK_FALSE(valid_subject(std::string(257, 'a')));
    std::string letters;
    for (int count = 0; count < 128; ++count) letters += "\xc3\xa9";
    CHECK(valid_subject(letters));
    CHECK_FALSE(valid_subject(letters + "a"));
  }

  TEST_CASE("no control character: C0, DEL and C1") {
    for (int octet = 0; octet < 0x80; ++octet) {
      CAPTURE(octet);
      const std::string subject = {'a', static_cast<char>(octet), 'b'};
      CHECK(valid_subject(subject) == (octet >= 0x20 && octet != 0x7f));
    }
    CHECK_FALSE(valid_subject("\xc2\x80"));
    CHECK_FALSE(valid_subject("\xc2\x85"));
    CHECK_FALSE(valid_subject("\xc2\x9f"));
    CHECK(valid_subject("\xc2\xa0"));
  }

  TEST_CASE("UTF-8, and only that (RFC 3629 section 3)") {
    for (const char* good : {"\xc3\xa9", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                             "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
      CAPTURE(good);
      CHECK(valid_subject(good));
    }
    for (const char* bad :
         {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x9f\xbf", "\xe2\x82",
          "\xe2\x28\xa1", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x92",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xfe"}) {
      CAPTURE(bad);
      CHECK_FALSE(valid_subject(bad));
    }
  }
}
