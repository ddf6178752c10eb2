#include "auth/ecdsa_signature.h"

#include <string>

#include <doctest/doctest.h>

using auth::ecdsa_der;

namespace {

std::string number(std::size_t octets, char last) { return std::string(octets - 1, '\0') + last; }

}  // namespace

TEST_SUITE("RFC 7518 section 3.4: ECDSA signatures") {
  TEST_CASE("r and s become DER integers: short, and positive") {
    CHECK(ecdsa_der(number(32, '\x01') + number(32, '\x7f'), 32) ==
          std::string("\x30\x06\x02\x01\x01\x02\x01\x7f", 8));
    CHECK(ecdsa_der(number(32, '\x01') + number(32, '\x80'), 32) ==
          std::string("\x30\x07\x02\x01\x01\x02\x02\x00\x80", 9));
    CHECK(ecdsa_der(std::string(132, '\xff'), 66).size() == 3 + 2 * (2 + 67));
  }

  TEST_CASE("a number of zero is no signature") {
    const std::string zero(32, '\0');
    CHECK(ecdsa_der(number(32, 1) + number(32, 1), 32) != "");
    CHECK(ecdsa_der(zero + number(32, 1), 32) == "");
    CHECK(ecdsa_der(number(32, 1) + zero, 32) == "");
    CHECK(ecdsa_der(zero + zero, 32) == "");
  }

  TEST_CASE("another length is no signature") {
    for (const std::size_t octets : {0, 1, 32, 63, 65, 96, 128}) {
      CAPTURE(octets);
      CHECK(ecdsa_der(std::string(octets, '\x01'), 32) == "");
    }
    CHECK(ecdsa_der(std::string(64, '\x01'), 32) != "");
  }
}
