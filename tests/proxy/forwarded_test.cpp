#include "proxy/forwarded.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace {

using proxy::AddressBlock;
using proxy::Fields;
using proxy::IpAddress;

const std::vector<AddressBlock> trusted = {AddressBlock::parse("10.0.0.0/8").value(),
                                           AddressBlock::parse("2001:db8::/32").value()};

// Each value is one X-Forwarded-For field.
std::string client(std::string_view peer, const std::vector<std::string>& values,
                   const std::vector<AddressBlock>& blocks = trusted) {
  Fields fields;
  for (const auto& value : values) fields.add("X-Forwarded-For", value);
  return proxy::client_address(IpAddress::parse(peer).value(), fields, blocks).to_string();
}

}  // namespace

TEST_SUITE("SECURITY 17: X-Forwarded-For") {
  TEST_CASE("a peer that is not trusted is the client, whatever it sends") {
    CHECK(client("192.0.2.1", {"1.1.1.1"}) == "192.0.2.1");
    CHECK(client("192.0.2.1", {"10.0.0.1"}) == "192.0.2.1");
    CHECK(client("10.0.0.1", {"1.1.1.1"}, {}) == "10.0.0.1");
  }

  TEST_CASE("a trusted peer's word is taken, and only for the last hop that it saw") {
    CHECK(client("10.0.0.1", {"1.1.1.1"}) == "1.1.1.1");
    CHECK(client("10.0.0.1", {"9.9.9.9, 1.1.1.1"}) == "1.1.1.1");
    CHECK(client("10.0.0.1", {"127.0.0.1, 10.0.0.5, 1.1.1.1"}) == "1.1.1.1");
  }

  TEST_CASE("trusted proxies are walked through from the right") {
    CHECK(client("10.0.0.1", {"9.9.9.9, 1.1.1.1, 10.0.0.2, 10.0.0.3"}) == "1.1.1.1");
    CHECK(client("10.0.0.1", {"9.9.9.9,1.1.1.1 ,\t2001:db8::7"}) == "1.1.1.1");
    CHECK(client("2001:db8::1", {"2a00::1"}) == "2a00::1");
  }

  TEST_CASE("all fields of the name, in any case, are one list") {
    CHECK(client("10.0.0.1", {"9.9.9.9", "1.1.1.1", "10.0.0.2"}) == "1.1.1.1");
    Fields fields;
    fields.add("x-forwarded-for", "1.1.1.1");
    fields.add("X-FORWARDED-FOR", "10.0.0.2");
    fields.add("X-Forwarded-Fo", "3.3.3.3");
    fields.add("X-Real-IP", "3.3.3.3");
    fields.add("Forwarded", "for=3.3.3.3");
    CHECK(proxy::client_address(IpAddress::parse("10.0.0.1").value(), fields, trusted) ==
          IpAddress::parse("1.1.1.1"));
  }

  TEST_CASE("without the field the peer is the client; if all are trusted, the leftmost is") {
    CHECK(client("10.0.0.1", {}) == "10.0.0.1");
    CHECK(client("10.0.0.1", {""}) == "10.0.0.1");
    CHECK(client("10.0.0.1", {"10.0.0.3, 10.0.0.2"}) == "10.0.0.3");
  }

  TEST_CASE("an element that is no address ends the walk at the proxy that wrote it") {
    for (const std::string rubbish :
         {"unknown", "_hidden", "example.com", "1.2.3", "1.2.3.4.5", "1.1.1.1 2.2.2.2", "::1%eth0",
          "[1.1.1.1]", "[::1", "\"1.1.1.1\"", "1.1.1.1:x", "1.1.1.1:70000", "for=1.1.1.1"}) {
      CAPTURE(rubbish);
      CHECK(client("10.0.0.1", {"1.1.1.1, " + std::string(rubbish)}) == "10.0.0.1");
      CHECK(client("10.0.0.1", {"1.1.1.1, " + std::string(rubbish) + ", 10.0.0.2"}) == "10.0.0.2");
      CHECK(client("10.0.0.1", {std::string(rubbish) + ", 1.1.1.1, 10.0.0.2"}) == "1.1.1.1");
    }
  }

  TEST_CASE("a port behind the address is ignored") {
    CHECK(client("10.0.0.1", {"1.1.1.1:4711"}) == "1.1.1.1");
    CHECK(client("10.0.0.1", {"[2a00::1]:4711"}) == "2a00::1");
    CHECK(client("10.0.0.1", {"[2a00::1]"}) == "2a00::1");
    CHECK(client("10.0.0.1", {"1.1.1.1, 10.0.0.2:80"}) == "1.1.1.1");
  }

  TEST_CASE("empty elements are passed over") {
    CHECK(client("10.0.0.1", {"1.1.1.1,, ,10.0.0.2, ,"}) == "1.1.1.1");
    CHECK(client("10.0.0.1", {",", "1.1.1.1", "", ","}) == "1.1.1.1");
  }

  TEST_CASE("a mapped address is the IPv4 address, on both sides") {
    CHECK(client("::ffff:10.0.0.1", {"::ffff:1.1.1.1"}) == "1.1.1.1");
    CHECK(client("10.0.0.1", {"1.1.1.1, ::ffff:10.0.0.2"}) == "1.1.1.1");
  }

  TEST_CASE("no more hops are walked than a real chain has") {
    std::string hops = "1.1.1.1";
    for (std::size_t i = 1; i < proxy::forwarded_hops_max; ++i) hops += ",10.0.0.2";
    CHECK(client("10.0.0.1", {hops}) == "1.1.1.1");
    CHECK(client("10.0.0.1", {hops + ",10.0.0.3"}) == "10.0.0.2");
    CHECK(client("10.0.0.1", {"1.1.1.1" + std::string(10'000, ',')}) == "10.0.0.1");
  }
}
