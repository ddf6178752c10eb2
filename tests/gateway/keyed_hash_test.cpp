#include "gateway/keyed_hash.h"

#include <string>

#include <doctest/doctest.h>

using namespace gateway;

TEST_SUITE("keyed hash") {
  // The key and messages of the paper's appendix A: 00 01 02 ...
  TEST_CASE("the hash is SipHash-2-4") {
    const HashKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
    std::string message;
    for (char octet = 0; octet < 15; ++octet) message += octet;
    CHECK(keyed_hash(key, message) == 0xa129ca6149be45e5);
    CHECK(keyed_hash(key, "") == 0x726fdb47dd0e0e31);
    CHECK(keyed_hash(key, message.substr(0, 1)) == 0x74f839c593dc67fd);
    CHECK(keyed_hash(key, message.substr(0, 8)) == 0x93f5f5799a932462);
  }

  TEST_CASE("another key is another hash") {
    CHECK(keyed_hash({1, 2}, "alice") != keyed_hash({1, 3}, "alice"));
    CHECK(keyed_hash({1, 2}, "alice") == keyed_hash({1, 2}, "alice"));
  }

  TEST_CASE("each process has a key of its own") {
    const HashKey one = HashKey::random();
    const HashKey other = HashKey::random();
    CHECK_FALSE((one.k0 == other.k0 && one.k1 == other.k1));
  }
}
