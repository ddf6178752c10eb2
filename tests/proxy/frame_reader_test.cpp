#include "proxy/frame_reader.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/fakes/frames.h"

using namespace std::string_literals;

namespace tests {

namespace {

using Kind = proxy::FrameReader::Kind;

// What a reader made of a stream: whole messages and control frames, or the code it failed with.
struct Outcome {
  std::vector<std::string> messages;
  std::vector<std::string> controls;  // "ping …", "pong …", "close …"
  int failure = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome read(proxy::Role us, std::string_view octets, std::size_t step,
             proxy::ReaderLimits limits = {}) {
  proxy::FrameReader reader(us);
  Outcome outcome;
  std::string message;
  for (std::size_t at = 0; at < octets.size(); at += step) {
    auto input = octets.substr(at, step);
    for (;;) {
      auto next = reader.next(input, limits, 1);
      if (next.kind == Kind::NeedsMore) break;
      if (next.kind == Kind::Failed) outcome.failure = static_cast<int>(reader.failure());
      if (next.kind == Kind::Ping) outcome.controls.push_back("ping " + std::string(next.octets));
      if (next.kind == Kind::Pong) outcome.controls.push_back("pong " + std::string(next.octets));
      if (next.kind == Kind::Close) outcome.controls.push_back("close " + std::string(next.octets));
      if (next.kind == Kind::Messages) {
        next.octets.remove_prefix(next.octets.size() - reader.header().payload_octets);
      } else if (next.kind != Kind::Payload) {
        continue;
      }
      for (std::size_t i = 0; i < next.octets.size(); ++i) {
        auto offset = next.kind == Kind::Messages ? 0 : reader.offset();
        auto key = reader.header().masking_key[(offset + i) % 4];
        message += static_cast<char>(next.octets[i] ^ (reader.header().masked ? key : 0));
      }
      if (next.kind == Kind::Messages || reader.message_complete())
        outcome.messages.push_back(std::exchange(message, {}));
    }
  }
  return outcome;
}

// In one piece, octet by octet, and in pieces of three: always the same.
Outcome read(std::string_view octets, proxy::Role us = proxy::Role::Server,
             proxy::ReaderLimits limits = {}) {
  auto whole = read(us, octets, octets.size(), limits);
  CHECK(read(us, octets, 1, limits) == whole);
  CHECK(read(us, octets, 3, limits) == whole);
  return whole;
}

}  // namespace

TEST_SUITE("RFC 6455 section 5: data framing") {
  TEST_CASE("the examples of section 5.7 are read") {
    CHECK(read("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s).messages == std::vector{"Hello"s});
    CHECK(read("\x81\x05Hello"s, proxy::Role::Client).messages == std::vector{"Hello"s});
    CHECK(read("\x01\x03Hel\x80\x02lo"s, proxy::Role::Client).messages == std::vector{"Hello"s});
    CHECK(read("\x89\x05Hello"s, proxy::Role::Client).controls == std::vector{"ping Hello"s});
    auto binary = "\x82\x7e\x01\x00"s + std::string(256, 'x');
    CHECK(read(binary, proxy::Role::Client).messages.at(0).size() == 256);
    auto large = "\x82\x7f\0\0\0\0\0\1\0\0"s + std::string(65536, 'x');
    CHECK(read(large, proxy::Role::Client).messages.at(0).size() == 65536);
  }

  TEST_CASE("a frame of every length form passes, empty ones too") {
    for (std::size_t size : {0, 1, 125, 126, 127, 65535, 65536, 70000}) {
      auto payload = std::string(size, 'x');
      CHECK(read(proxy::Role::Server, masked(0x82, payload), 4096).messages ==
            std::vector{payload});
    }
  }

  TEST_CASE("an unmasked frame of a client and a masked one of a server are 1002") {
    CHECK(read(unmasked(0x81, "hi")).failure == 1002);
    CHECK(read(masked(0x81, "hi"), proxy::Role::Client).failure == 1002);
  }

  TEST_CASE("a reserved bit is 1002, each of the three") {
    for (int first : {0xC1, 0xA1, 0x91}) CHECK(read(masked(first, "hi")).failure == 1002);
  }

  TEST_CASE("a reserved opcode is 1002, the others are not") {
    for (int opcode = 0; opcode < 16; ++opcode) {
      bool reserved = (opcode >= 3 && opcode <= 7) || opcode >= 0xB;
      auto failure = read(masked(0x80 | opcode, opcode == 8 ? close_body(1000) : "hi"s)).failure;
      CHECK(failure == (reserved || opcode == 0 ? 1002 : 0));
    }
  }

  TEST_CASE("a length that is not in its shortest form is 1002") {
    auto payload = masked(0x82, std::string(125, 'x')).substr(2);
    CHECK(read("\x82\xfe\x00\x7d"s + payload).failure == 1002);
    CHECK(read("\x82\xfe\x00\x7e"s + payload + "y").failure == 0);
    CHECK(read("\x82\xff\0\0\0\0\0\0\xff\xff"s + payload).failure == 1002);
  }

  TEST_CASE("a length with its most significant bit is 1002, the largest without it 1009") {
    CHECK(read("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"s).failure == 1002);
    CHECK(read("\x82\xff\x80\0\0\0\0\0\0\0"s).failure == 1002);
    proxy::ReaderLimits limits{.message_octets_max = 65536};
    auto largest =
        "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"
        "abcd"s;
    CHECK(read(largest, proxy::Role::Server, limits).failure == 1009);
  }
}

TEST_SUITE("messages that are here as a whole") {
  // What one step takes of `octets`, and what it leaves.
  struct Taken {
    proxy::FrameReader::Step step;
    std::string_view rest;
    proxy::FrameHeader header;
  };
  Taken take(std::string_view octets, proxy::ReaderLimits limits = {},
             std::uint64_t messages_max = 100) {
    proxy::FrameReader reader(proxy::Role::Server);
    auto step = reader.next(octets, limits, messages_max);
    return {step, octets, reader.header()};
  }

  TEST_CASE("are one step, as they came, and counted") {
    auto whole = masked(0x81, "κ") + masked(0x82, "") + masked(0x82, std::string(70'000, 'x')) +
                 masked(0x81, std::string(300, 'y'));
    auto taken = take(whole);
    CHECK(taken.step.kind == Kind::Messages);
    CHECK(taken.step.octets == whole);
    CHECK(taken.rest.empty());
    CHECK(taken.step.messages.messages == 4);
    CHECK(taken.step.messages.octets == 70'302);
  }

  TEST_CASE("are as few as one wants, and the header of a single one is known") {
    auto first = masked(0x81, "one");
    auto both = first + masked(0x82, "two");
    auto taken = take(both, {}, 1);
    CHECK(taken.step.octets == first);
    CHECK(taken.rest == masked(0x82, "two"));
    CHECK(taken.step.messages.messages == 1);
    CHECK(taken.header.opcode == proxy::Opcode::Text);
    CHECK(taken.header.payload_octets == 3);
  }

  TEST_CASE("end at whatever is none, and that is left to the next step") {
    auto whole = masked(0x81, "one") + masked(0x82, "two");
    proxy::ReaderLimits limits{.message_octets_max = 10};
    auto longest = masked(0x82, std::string(10, 'x'));
    for (const auto& other : {
             masked(0x01, "begin"),                // a fragment
             masked(0x89, "?"),                    // a control frame
             masked(0x80, "goes on"),              // a continuation of nothing
             masked(0x83, "?"),                    // a reserved opcode
             masked(0xC1, "?"),                    // a reserved bit
             unmasked(0x81, "?"),                  // not masked
             masked(0x81, "\xff"),                 // not UTF-8
             masked(0x82, std::string(11, 'x')),   // too long
             "\x82\xfe\x00\x05\x01\x02\x03\x04" +  // a length that is not in its shortest form
                 std::string(5, 'x'),
             longest.substr(0, 1),
             longest.substr(0, 2),
             longest.substr(0, 5),
             longest.substr(0, longest.size() - 1),
         }) {
      CAPTURE(other);
      auto octets = whole + other + masked(0x82, "four");
      if (longest.starts_with(other)) octets = whole + other;
      auto taken = take(octets, limits);
      CHECK(taken.step.octets == whole);
      CHECK(taken.rest == std::string_view(octets).substr(whole.size()));
      CHECK(taken.step.messages.messages == 2);
    }
    auto octets = whole + longest;
    CHECK(take(octets, limits).step.messages.messages == 3);
  }

  TEST_CASE("are not taken from within another message") {
    proxy::FrameReader reader(proxy::Role::Server);
    auto octets = masked(0x01, "begin") + masked(0x82, "no");
    std::string_view input = octets;
    for (auto kind : {Kind::DataFrame, Kind::Payload, Kind::Failed}) {
      CHECK(reader.next(input, {}).kind == kind);
    }
    CHECK(reader.failure() == proxy::StatusCode::ProtocolError);
  }
}

TEST_SUITE("RFC 6455 section 5.4: fragmentation") {
  TEST_CASE("control frames lie between the fragments of a message") {
    auto outcome = read(masked(0x01, "Hel") + masked(0x89, "?") + masked(0x80, "lo"));
    CHECK(outcome.messages == std::vector{"Hello"s});
    CHECK(outcome.controls == std::vector{"ping ?"s});
  }

  TEST_CASE("a continuation of nothing, and a new message inside one, are 1002") {
    CHECK(read(masked(0x80, "lo")).failure == 1002);
    CHECK(read(masked(0x01, "Hel") + masked(0x81, "lo")).failure == 1002);
    CHECK(read(masked(0x81, "Hello") + masked(0x80, "lo")).failure == 1002);
  }

  TEST_CASE("fragments are summed against the limit of a message, messages are not") {
    proxy::ReaderLimits limits{.message_octets_max = 10};
    auto read_limited = [&](const std::string& octets) {
      return read(octets, proxy::Role::Server, limits).failure;
    };
    CHECK(read_limited(masked(0x82, std::string(10, 'x'))) == 0);
    CHECK(read_limited(masked(0x82, std::string(11, 'x'))) == 1009);
    CHECK(read_limited(masked(0x02, "123456") + masked(0x80, "7890")) == 0);
    CHECK(read_limited(masked(0x02, "123456") + masked(0x80, "78901")) == 1009);
    CHECK(read_limited(masked(0x82, "123456") + masked(0x82, "123456")) == 0);
  }

  TEST_CASE("a message of too many fragments is 1008") {
    proxy::ReaderLimits limits{.frames_per_message_max = 3};
    auto begin = masked(0x02, "");
    auto more = masked(0x00, "");
    CHECK(read(begin + more + masked(0x80, ""), proxy::Role::Server, limits).failure == 0);
    CHECK(read(begin + more + more + more, proxy::Role::Server, limits).failure == 1008);
  }
}

TEST_SUITE("RFC 6455 section 5.5: control frames") {
  TEST_CASE("a control frame of 125 octets passes, of 126 or in fragments it is 1002") {
    CHECK(read(masked(0x89, std::string(125, 'x'))).controls.size() == 1);
    CHECK(read(masked(0x89, std::string(126, 'x'))).failure == 1002);
    CHECK(read(masked(0x09, "x")).failure == 1002);
    CHECK(read(masked(0x08, close_body(1000))).failure == 1002);
  }

  TEST_CASE("nothing is read behind a Close") {
    auto outcome = read(masked(0x88, close_body(1000, "bye")) + masked(0x81, "more"));
    CHECK(outcome.controls == std::vector{"close \x03\xe8"
                                          "bye"s});
    CHECK(outcome.messages.empty());
    CHECK(outcome.failure == 0);
  }
}

TEST_SUITE("RFC 6455 section 8.1: UTF-8") {
  TEST_CASE("text that is not UTF-8 is 1007, binary may be anything") {
    CHECK(read(masked(0x81, "\xff")).failure == 1007);
    CHECK(read(masked(0x82, "\xff")).failure == 0);
    CHECK(read(masked(0x81, "κόσμε")).messages == std::vector{"κόσμε"s});
    CHECK(read(unmasked(0x81, "\xed\xa0\x80"), proxy::Role::Client).failure == 1007);
  }

  TEST_CASE("a character may be cut by a fragment's border, but not by the message's end") {
    CHECK(read(masked(0x01, "\xce") + masked(0x80, "\xba")).messages == std::vector{"κ"s});
    CHECK(read(masked(0x01, "\xce") + masked(0x80, "")).failure == 1007);
    CHECK(read(masked(0x81, "\xce")).failure == 1007);
    CHECK(read(masked(0x81, "ok") + masked(0x81, "\xba")).failure == 1007);
  }

  TEST_CASE("an invalid octet is found before the frame is complete") {
    auto frame = masked(0x81, "abc\xff" + std::string(100, 'x'));
    CHECK(read(proxy::Role::Server, std::string_view(frame).substr(0, 20), 20).failure == 1007);
  }
}

}  // namespace tests
