#include "proxy/proxy_protocol.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace {

using proxy::ProxyHeaderParser;
using State = ProxyHeaderParser::State;
using namespace std::string_literals;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

struct Outcome {
  State state;
  std::string client;  // empty: none
  std::string behind;
};

std::string text_of(const ProxyHeaderParser& parser) {
  return parser.client() ? parser.client()->to_string() : "";
}

Outcome parse_whole(std::string_view octets) {
  ProxyHeaderParser parser;
  const auto state = parser.receive(octets);
  return {state, text_of(parser), std::string(octets)};
}

Outcome parse_octet_by_octet(std::string_view octets) {
  ProxyHeaderParser parser;
  auto state = State::NeedsMore;
  while (state == State::NeedsMore && !octets.empty()) {
    auto one = octets.substr(0, 1);
    octets.remove_prefix(1);
    state = parser.receive(one);
    CHECK(one.empty());
  }
  return {state, text_of(parser), std::string(octets)};
}

Outcome parse(std::string_view octets) {
  const auto whole = parse_whole(octets);
  const auto parts = parse_octet_by_octet(octets);
  CHECK(whole.state == parts.state);
  CHECK(whole.client == parts.client);
  CHECK(whole.behind == parts.behind);
  return whole;
}

std::string client_of(std::string_view octets) {
  const auto outcome = parse(octets);
  REQUIRE(outcome.state == State::Complete);
  return outcome.client;
}

bool refused(std::string_view octets) { return parse(octets).state == State::Failed; }

// command: the octet of version and command; family: that of family and protocol.
std::string binary(int command, int family, const std::string& body) {
  return signature + static_cast<char>(command) + static_cast<char>(family) +
         static_cast<char>(body.size() >> 8) + static_cast<char>(body.size()) + body;
}

const std::string v4_addresses = "\xC0\x00\x02\x01\xC6\x33\x64\x02\x12\x34\x01\xBB"s;
const std::string v6_addresses = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x07" +
                                 std::string(15, '\0') + "\x01" + "\x12\x34\x01\xBB";

}  // namespace

TEST_SUITE("PROXY protocol 2.1: version 1") {
  TEST_CASE("a line says who the client is, and takes no octet behind it") {
    const auto outcome = parse("PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\nGET / HTTP/1.1\r\n");
    CHECK(outcome.state == State::Complete);
    CHECK(outcome.client == "192.0.2.1");
    CHECK(outcome.behind == "GET / HTTP/1.1\r\n");
    CHECK(client_of("PROXY TCP6 2001:db8::7 ::1 4660 443\r\n") == "2001:db8::7");
    CHECK(client_of("PROXY TCP6 ::ffff:192.0.2.1 ::1 0 65535\r\n") == "192.0.2.1");
  }

  TEST_CASE("UNKNOWN stands for the load balancer itself, whatever follows it") {
    CHECK(client_of("PROXY UNKNOWN\r\n") == "");
    CHECK(client_of("PROXY UNKNOWN 192.0.2.1 198.51.100.2 4660 443\r\n") == "");
    CHECK(client_of("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n") == "");
  }

  TEST_CASE("what is not exactly such a line is refused") {
    for (const auto* line : {"PROXY TCP4 192.0.2.1 198.51.100.2 4660\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443 1\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443 \r\n",
                             "PROXY TCP4  192.0.2.1 198.51.100.2 4660 443\r\n",
                             "PROXY  TCP4 192.0.2.1 198.51.100.2 4660 443\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.2 04660 443\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.2 4660 65536\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\n\r\n",
                             "PROXY TCP4 192.0.2.256 198.51.100.2 4660 443\r\n",
                             "PROXY TCP4 192.0.2.1 ::1 4660 443\r\n",
                             "PROXY TCP4 ::1 ::1 4660 443\r\n",
                             "PROXY TCP6 192.0.2.1 198.51.100.2 4660 443\r\n",
                             "PROXY UDP4 192.0.2.1 198.51.100.2 4660 443\r\n",
                             "PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n",
                             "PROXY \r\n",
                             "PROXY\r\n",
                             "proxy TCP4 192.0.2.1 198.51.100.2 4660 443\r\n",
                             "GET / HTTP/1.1\r\n",
                             "\x16\x03\x01",
                             "P ROXY",
                             "\r\n\r\nGET"}) {
      CAPTURE(line);
      CHECK(refused(line));
    }
  }

  TEST_CASE("a line has at most 107 octets") {
    const std::string longest = "PROXY UNKNOWN " + std::string(107 - 14 - 2, 'x');
    CHECK(parse(longest + "\r\n").state == State::Complete);
    CHECK(refused(longest + "x\r\n"));
    CHECK(refused("PROXY UNKNOWN " + std::string(200, 'x')));
    CHECK(parse(longest).state == State::NeedsMore);
  }
}

TEST_SUITE("PROXY protocol 2.2: version 2") {
  TEST_CASE("addresses of either family are the client's") {
    CHECK(client_of(binary(0x21, 0x11, v4_addresses)) == "192.0.2.1");
    CHECK(client_of(binary(0x21, 0x21, v6_addresses)) == "2001:db8::7");
  }

  TEST_CASE(
      "what stands behind the addresses is skipped, and what stands behind the header is not") {
    const std::string tlvs = "\x04\x00\x03" + std::string(3, 'x');
    const auto outcome = parse(binary(0x21, 0x11, v4_addresses + tlvs) + "GET");
    CHECK(outcome.state == State::Complete);
    CHECK(outcome.client == "192.0.2.1");
    CHECK(outcome.behind == "GET");
  }

  TEST_CASE("LOCAL, UNSPEC and a Unix socket stand for the load balancer itself") {
    CHECK(client_of(binary(0x20, 0x00, "")) == "");
    CHECK(client_of(binary(0x20, 0x11, v4_addresses)) == "");
    CHECK(client_of(binary(0x20, 0xFF, "x")) == "");
    CHECK(client_of(binary(0x21, 0x00, "")) == "");
    CHECK(client_of(binary(0x21, 0x00, v4_addresses)) == "");
    CHECK(client_of(binary(0x21, 0x31, std::string(216, 'p'))) == "");
  }

  TEST_CASE("another version, command, family or protocol is refused") {
    CHECK(refused(binary(0x11, 0x11, v4_addresses)));
    CHECK(refused(binary(0x31, 0x11, v4_addresses)));
    CHECK(refused(binary(0x22, 0x11, v4_addresses)));
    CHECK(refused(binary(0x21, 0x12, v4_addresses)));
    CHECK(refused(binary(0x21, 0x10, v4_addresses)));
    CHECK(refused(binary(0x21, 0x41, v6_addresses)));
  }

  TEST_CASE("a body without room for its addresses, or over the bound, is refused at its length") {
    CHECK(refused(binary(0x21, 0x11, v4_addresses.substr(1))));
    CHECK(refused(binary(0x21, 0x21, v6_addresses.substr(1))));
    CHECK(refused(binary(0x21, 0x31, std::string(215, 'p'))));
    CHECK(refused(binary(0x21, 0x11, "")));
    const auto body = [](std::size_t size) {
      return v4_addresses + std::string(size - v4_addresses.size(), 'x');
    };
    CHECK(client_of(binary(0x21, 0x11, body(ProxyHeaderParser::body_octets_max))) == "192.0.2.1");
    const auto over = binary(0x21, 0x11, body(ProxyHeaderParser::body_octets_max + 1));
    CHECK(parse(over.substr(0, 16)).state == State::Failed);
    CHECK(parse(binary(0x20, 0x00, std::string(5000, 'x')).substr(0, 16)).state == State::Failed);
  }

  TEST_CASE("a header that has not come as a whole needs more") {
    const auto header = binary(0x21, 0x11, v4_addresses);
    for (std::size_t size = 0; size < header.size(); ++size) {
      CHECK(parse(header.substr(0, size)).state == State::NeedsMore);
    }
  }

  TEST_CASE("a signature with one octet wrong is refused there") {
    for (std::size_t at = 0; at < signature.size(); ++at) {
      auto wrong = signature;
      wrong[at] ^= 1;
      CHECK(parse(wrong.substr(0, at + 1)).state == State::Failed);
    }
  }
}
