#include "tests/bench/frames.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace tests::bench {

static_assert(std::endian::native == std::endian::little, "mask() rotates the key as such a word");

std::optional<FrameHead> read_frame_head(std::span<const std::uint8_t> octets) {
  if (octets.size() < 2) {
    return std::nullopt;
  }
  FrameHead head;
  head.fin = (octets[0] & 0x80) != 0;
  head.opcode = static_cast<Opcode>(octets[0] & 0x0f);
  const bool masked = (octets[1] & 0x80) != 0;
  const std::uint8_t length = octets[1] & 0x7f;
  const std::size_t extension = length == 127 ? 8 : length == 126 ? 2 : 0;
  head.head_octets = 2 + extension + (masked ? 4 : 0);
  if (octets.size() < head.head_octets) {
    return std::nullopt;
  }
  head.payload_octets = extension == 0 ? length : 0;
  for (std::size_t i = 0; i < extension; ++i) {
    head.payload_octets = head.payload_octets << 8 | octets[2 + i];
  }
  if (masked) {
    MaskingKey key;
    std::copy_n(octets.begin() + static_cast<std::ptrdiff_t>(2 + extension), 4, key.begin());
    head.key = key;
  }
  return head;
}

std::size_t write_frame_head(std::uint8_t* out, const FrameHead& head) {
  out[0] =
      static_cast<std::uint8_t>((head.fin ? 0x80 : 0) | static_cast<std::uint8_t>(head.opcode));
  const std::uint64_t length = head.payload_octets;
  const std::size_t extension = length > 0xffff ? 8 : length > 125 ? 2 : 0;
  out[1] = static_cast<std::uint8_t>(extension == 8 ? 127 : extension == 2 ? 126 : length);
  for (std::size_t i = 0; i < extension; ++i) {
    out[2 + i] = static_cast<std::uint8_t>(length >> 8 * (extension - 1 - i));
  }
  std::size_t size = 2 + extension;
  if (head.key) {
    out[1] |= 0x80;
    std::memcpy(out + size, head.key->data(), 4);
    size += 4;
  }
  return size;
}

void mask(std::uint8_t* out, const std::uint8_t* in, std::size_t octets, MaskingKey key,
          std::uint64_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, key.data(), 4);
  word = std::rotr(word, static_cast<int>(offset % 4 * 8));
  const std::uint64_t wide = static_cast<std::uint64_t>(word) << 32 | word;
  std::size_t i = 0;
  for (; i + 32 <= octets; i += 32) {
    std::array<std::uint64_t, 4> lanes;
    std::memcpy(lanes.data(), in + i, 32);
    for (std::uint64_t& lane : lanes) {
      lane ^= wide;
    }
    std::memcpy(out + i, lanes.data(), 32);
  }
  for (; i < octets; ++i) {
    out[i] = in[i] ^ static_cast<std::uint8_t>(word >> i % 4 * 8);
  }
}

std::string control_frame(Opcode opcode, std::string_view payload, std::optional<MaskingKey> key) {
  payload = payload.substr(0, control_payload_octets_max);
  const FrameHead head{.opcode = opcode, .key = key, .payload_octets = payload.size()};
  std::array<std::uint8_t, frame_head_octets_max + control_payload_octets_max> frame;
  const std::size_t head_octets = write_frame_head(frame.data(), head);
  mask(frame.data() + head_octets, reinterpret_cast<const std::uint8_t*>(payload.data()),
       payload.size(), key.value_or(MaskingKey{}), 0);
  return {reinterpret_cast<const char*>(frame.data()), head_octets + payload.size()};
}

std::string accept_of(std::string_view key) {
  std::string text{key};
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<std::uint8_t, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), digest.data());
  std::array<std::uint8_t, 32> encoded;
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), SHA_DIGEST_LENGTH);
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

}  // namespace tests::bench
