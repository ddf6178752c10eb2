#include "proxy/address.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace {

using proxy::AddressBlock;
using proxy::IpAddress;
using proxy::SocketAddress;
using namespace std::literals;

// As it is written again, or what is wrong with it.
std::string written(std::string_view text) {
  const auto address = IpAddress::parse(text);
  return address ? address->to_string() : "(none)";
}

bool contains(std::string_view block, std::string_view address) {
  const auto parsed = AddressBlock::parse(block);
  REQUIRE(parsed);
  return parsed->contains(IpAddress::parse(address).value());
}

}  // namespace

TEST_SUITE("addresses") {
  TEST_CASE("an address is written as it was read, in its shortest form") {
    const std::vector<std::pair<std::string, std::string>> table = {
        {"127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::1", "::1"},
        {"::", "::"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"::ffff:10.1.2.3", "10.1.2.3"},
        {"::ffff:a01:203", "10.1.2.3"},
        {"0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"},
    };
    for (const auto& [text, expected] : table) {
      CAPTURE(text);
      CHECK(written(text) == expected);
    }
  }

  TEST_CASE("what another parser reads as an address is none") {
    for (const auto& text : {""s,           "1.2.3"s,
                             "1.2.3.4.5"s,  "1.2.3.256"s,
                             "1.2.3.04"s,   "0x7f.0.0.1"s,
                             "2130706433"s, "1.2.3.4 "s,
                             " 1.2.3.4"s,   "1.2.3.4\0"s,
                             "1.2.3.4:80"s, "[::1]"s,
                             "::1%eth0"s,   "fe80::1%1"s,
                             ":::"s,        "1::2::3"s,
                             "12345::"s,    "::g"s,
                             "localhost"s,  "1.2.3.-4"s,
                             "+1.2.3.4"s,   std::string(100, '1')}) {
      CAPTURE(text);
      CHECK(written(text) == "(none)");
    }
  }

  TEST_CASE("a mapped IPv4 address is the IPv4 address") {
    CHECK(IpAddress::parse("::ffff:10.1.2.3") == IpAddress::parse("10.1.2.3"));
    CHECK(IpAddress::parse("::ffff:10.1.2.3")->is_v4());
    CHECK_FALSE(IpAddress::parse("::10.1.2.3")->is_v4());
    CHECK_FALSE(IpAddress::parse("::fffe:10.1.2.3")->is_v4());
    CHECK(IpAddress::parse("::") != IpAddress::parse("0.0.0.0"));
  }

  TEST_CASE("loopback is 127.0.0.0/8 and ::1") {
    for (const std::string text : {"127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"}) {
      CAPTURE(text);
      CHECK(IpAddress::parse(text)->loopback());
    }
    for (const std::string text :
         {"126.0.0.1", "128.0.0.1", "0.0.0.0", "::", "::2", "1::1", "7f00::"}) {
      CAPTURE(text);
      CHECK_FALSE(IpAddress::parse(text)->loopback());
    }
  }

  TEST_CASE("limits count an IPv4 address by itself and an IPv6 address by its /64") {
    const auto key = [](std::string_view text) { return IpAddress::parse(text)->limit_key(); };
    CHECK(key("10.1.2.3") != key("10.1.2.4"));
    CHECK(key("10.1.2.3") == key("::ffff:10.1.2.3"));
    CHECK(key("2001:db8:0:1::1") == key("2001:db8:0:1:ffff:ffff:ffff:ffff"));
    CHECK(key("2001:db8:0:1::1") != key("2001:db8:0:2::1"));
    CHECK(key("2001:db8:0:1::1").to_string() == "2001:db8:0:1::");
  }

  TEST_CASE("a socket address has a port, and IPv6 brackets") {
    const std::vector<std::pair<std::string, std::string>> table = {
        {"127.0.0.1:8080", "127.0.0.1:8080"},
        {"[::1]:8080", "[::1]:8080"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
        {"[::ffff:10.0.0.1]:1", "10.0.0.1:1"},
    };
    for (const auto& [text, expected] : table) {
      CAPTURE(text);
      const auto address = SocketAddress::parse(text);
      REQUIRE(address);
      CHECK(address->to_string() == expected);
    }
    for (const auto& text : {""s,
                             ":"s,
                             ":80"s,
                             "127.0.0.1"s,
                             "127.0.0.1:"s,
                             "127.0.0.1:65536"s,
                             "127.0.0.1:99999999999"s,
                             "127.0.0.1:-1"s,
                             "127.0.0.1:+1"s,
                             "127.0.0.1:08"s,
                             "127.0.0.1: 80"s,
                             "127.0.0.1:80 "s,
                             "127.0.0.1:8o"s,
                             "::1:80"s,
                             "[::1]"s,
                             "[::1]:"s,
                             "[127.0.0.1]:80"s,
                             "[::1:80"s,
                             "::1]:80"s,
                             "[]:80"s,
                             "localhost:80"s,
                             "127.0.0.1:80\0"s}) {
      CAPTURE(text);
      CHECK_FALSE(SocketAddress::parse(text));
    }
  }

  TEST_CASE("a socket address goes to the kernel and comes back") {
    for (const std::string text :
         {"127.0.0.1:8080", "[2001:db8::1]:443", "255.1.2.3:65535", "[::]:0"}) {
      CAPTURE(text);
      const auto address = SocketAddress::parse(text).value();
      sockaddr_storage storage;
      address.to(storage);
      const auto& generic = reinterpret_cast<const sockaddr&>(storage);
      CHECK(SocketAddress::from(generic) == address);
      CHECK(IpAddress::from(generic) == address.ip);
      CHECK(storage.ss_family == (address.ip.is_v4() ? AF_INET : AF_INET6));
    }
    sockaddr_storage unix_socket{};
    unix_socket.ss_family = AF_UNIX;
    CHECK_FALSE(IpAddress::from(reinterpret_cast<const sockaddr&>(unix_socket)));
  }

  TEST_CASE("a client on a dual-stack socket is the IPv4 client that it is") {
    sockaddr_storage storage{};
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xFF;
    v6.sin6_addr.s6_addr[12] = 10;
    v6.sin6_addr.s6_addr[15] = 7;
    CHECK(IpAddress::from(reinterpret_cast<const sockaddr&>(storage)) ==
          IpAddress::parse("10.0.0.7"));
  }
}

TEST_SUITE("address blocks") {
  TEST_CASE("a block contains what shares its prefix, to the bit") {
    CHECK(contains("10.0.0.0/8", "10.255.255.255"));
    CHECK_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
    CHECK_FALSE(contains("10.0.0.0/8", "9.255.255.255"));
    CHECK(contains("192.168.4.0/22", "192.168.7.255"));
    CHECK_FALSE(contains("192.168.4.0/22", "192.168.8.0"));
    CHECK_FALSE(contains("192.168.4.0/22", "192.168.3.255"));
    CHECK(contains("10.0.0.7/32", "10.0.0.7"));
    CHECK_FALSE(contains("10.0.0.7/32", "10.0.0.6"));
    CHECK(contains("2001:db8::/33", "2001:db8:7fff::1"));
    CHECK_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
    CHECK(contains("::1/128", "::1"));
    CHECK_FALSE(contains("::1/128", "::"));
  }

  TEST_CASE("a plain address is a block of one") {
    CHECK(contains("10.0.0.1", "10.0.0.1"));
    CHECK_FALSE(contains("10.0.0.1", "10.0.0.0"));
    CHECK(contains("::1", "::1"));
    CHECK_FALSE(contains("::1", "::3"));
  }

  TEST_CASE("a block is of one family, and a mapped one is IPv4") {
    CHECK(contains("0.0.0.0/0", "1.2.3.4"));
    CHECK_FALSE(contains("0.0.0.0/0", "::1"));
    CHECK(contains("::/0", "2001:db8::1"));
    CHECK_FALSE(contains("::/0", "1.2.3.4"));
    CHECK(contains("10.0.0.0/8", "::ffff:10.1.1.1"));
    CHECK(contains("::ffff:10.0.0.0/104", "10.1.1.1"));
    CHECK_FALSE(contains("::ffff:10.0.0.0/104", "11.1.1.1"));
    CHECK(contains("::ffff:10.0.0.1", "10.0.0.1"));
  }

  TEST_CASE("bits behind the prefix, or a prefix that is none, are refused") {
    for (const std::string text : {"10.0.0.1/8",
                                   "10.128.0.0/8",
                                   "::1/127",
                                   "2001:db8::/28",
                                   "10.0.0.0/33",
                                   "::/129",
                                   "10.0.0.0/",
                                   "10.0.0.0/-1",
                                   "10.0.0.0/+8",
                                   "10.0.0.0/08",
                                   "10.0.0.0/8 ",
                                   "10.0.0.0/8/8",
                                   "10/8",
                                   "10.0.0.0/255.0.0.0",
                                   "/8",
                                   "",
                                   "::ffff:10.0.0.0/8",
                                   "::ffff:10.0.0.0/95",
                                   "::ffff:0.0.0.0/90",
                                   "::ffff:10.0.0.1/104",
                                   "1.2.3.4/0",
                                   "example.com",
                                   "[::1]/128"}) {
      CAPTURE(text);
      CHECK_FALSE(AddressBlock::parse(text));
    }
  }
}
