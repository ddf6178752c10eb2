#include "proxy/message.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/fakes/frames.h"

namespace tests {

namespace {

// The payload of a frame that tests::masked() made, and its header.
std::string_view split(std::string_view frame, proxy::FrameHeader& header) {
  auto size = proxy::parse_frame_header(frame, true, header);
  REQUIRE(size);
  return frame.substr(*size);
}

}  // namespace

TEST_SUITE("messages read as a whole") {
  TEST_CASE("a masked payload is copied as its sender meant it") {
    for (std::size_t size : {0u, 1u, 3u, 4u, 125u, 126u, 65536u}) {
      std::string text(size, 'x');
      proxy::FrameHeader header;
      auto frame = masked(0x81, text);
      auto payload = split(frame, header);
      CHECK(proxy::unmasked_copy(payload, header) == text);
    }
  }

  TEST_CASE("a payload that is not masked is copied as it came") {
    proxy::FrameHeader header;
    CHECK(proxy::unmasked_copy("Hello", header) == "Hello");
  }

  TEST_CASE("a message in parts is put together, whatever the offset of each in its frame") {
    std::string text = "a text that is longer than a masking key";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      proxy::FrameHeader header;
      auto frame = masked(0x81, text);
      auto payload = split(frame, header);
      proxy::MessageAssembly assembly(proxy::Opcode::Text);
      assembly.append(payload.substr(0, cut), header, 0);
      assembly.append(payload.substr(cut), header, cut);
      CHECK(assembly.message().payload == text);
      CHECK(assembly.message().opcode == proxy::Opcode::Text);
    }
  }

  TEST_CASE("the octets behind a payload may be read") {
    proxy::MessageAssembly assembly(proxy::Opcode::Binary);
    assembly.append("abc", {}, 0);
    auto payload = assembly.message().payload;
    std::string_view with_padding(payload.data(), payload.size() + proxy::message_padding_octets);
    CHECK(with_padding.substr(3) == std::string(proxy::message_padding_octets, '\0'));
  }
}

}  // namespace tests
