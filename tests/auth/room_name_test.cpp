#include "auth/room_name.h"

#include <string>

#include <doctest/doctest.h>

using auth::valid_room_name;

TEST_SUITE("Names of rooms") {
  TEST_CASE("1 to 256 octets, not characters") {
    CHECK_FALSE(valid_room_name(""));
    CHECK(valid_room_name("r"));
    CHECK(valid_room_name(std::string(256, 'r')));
    CHECK_FALSE(valid_room_name(std::string(257, 'r')));
    CHECK_FALSE(valid_room_name(std::string(255, 'r') + "\xc3\xa9"));
  }

  TEST_CASE("any character is only a character: patterns, paths, channels") {
    for (const char* room : {"*", "{team}", "../..", "a b", " ", "room:1", "\xf0\x9f\x92\xac"}) {
      CAPTURE(room);
      CHECK(valid_room_name(room));
    }
  }

  TEST_CASE("no control characters and nothing but UTF-8") {
    for (const std::string_view room :
         {std::string_view("a\r\nPUBLISH"), std::string_view("a\0b", 3), std::string_view("\t"),
          std::string_view("\x7f"), std::string_view("\xc2\x85"), std::string_view("\xff"),
          std::string_view("\xed\xa0\x80"), std::string_view("r\xc3")}) {
      CAPTURE(room);
      CHECK_FALSE(valid_room_name(room));
    }
  }
}
