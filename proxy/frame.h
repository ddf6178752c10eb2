// The header of a WebSocket frame (RFC 6455 section 5.2): reading and writing it, and nothing
// behind it. No I/O, no state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <string_view>

namespace proxy {

enum class Opcode : std::uint8_t {
  Continuation = 0x0,
  Text = 0x1,
  Binary = 0x2,
  Close = 0x8,
  Ping = 0x9,
  Pong = 0xA,
};

constexpr bool is_control(Opcode opcode) { return static_cast<std::uint8_t>(opcode) & 0x8; }

using MaskingKey = std::array<std::uint8_t, 4>;

// The key for the rest of a payload of which `offset` octets have gone on in another frame.
constexpr MaskingKey rotate(const MaskingKey& key, std::uint64_t offset) {
  return {key[offset % 4], key[(offset + 1) % 4], key[(offset + 2) % 4], key[(offset + 3) % 4]};
}

struct FrameHeader {
  bool fin = true;
  Opcode opcode = Opcode::Continuation;
  bool masked = false;
  MaskingKey masking_key{};
  std::uint64_t payload_octets = 0;
};

inline constexpr std::size_t frame_header_octets_max = 14;
inline constexpr std::size_t control_payload_octets_max = 125;

// Every one of them is 1002 to its sender.
enum class FrameError : std::uint8_t {
  ReservedBit,     // RSV1-3: no extension was negotiated
  ReservedOpcode,  // 3-7, B-F
  Masking,         // a client that does not mask, a server that does (section 5.1)
  ControlFrame,    // a control frame that is fragmented or over 125 octets (section 5.5)
  Length,          // not the shortest form, or the most significant bit is set
};

// How many octets the header at the front of `octets` has; 0: it is not complete. `masked`: whether
// its sender has to mask. An error is found as soon as the octets that show it are there. What was
// written to `header` counts only where the result is not 0. Inline: it is asked for every frame.
inline std::expected<std::size_t, FrameError> parse_frame_header(std::string_view octets,
                                                                 bool masked, FrameHeader& header) {
  auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(octets[i]); };
  if (octets.empty()) return 0;
  if (at(0) & 0x70) return std::unexpected(FrameError::ReservedBit);
  if ((at(0) & 0x07) > 2) return std::unexpected(FrameError::ReservedOpcode);
  header.fin = at(0) & 0x80;
  header.opcode = static_cast<Opcode>(at(0) & 0x0F);
  if (is_control(header.opcode) && !header.fin) return std::unexpected(FrameError::ControlFrame);
  if (octets.size() < 2) return 0;

  header.masked = at(1) & 0x80;
  if (header.masked != masked) return std::unexpected(FrameError::Masking);
  std::uint64_t length = at(1) & 0x7F;
  if (is_control(header.opcode) && length > control_payload_octets_max) {
    return std::unexpected(FrameError::ControlFrame);
  }
  std::size_t size = 2;
  if (length >= 126) {
    std::size_t extended = length == 126 ? 2 : 8;
    if (octets.size() < size + extended) return 0;
    length = 0;
    for (std::size_t i = 0; i < extended; ++i) length = length << 8 | at(size + i);
    // Section 5.2: "the minimal number of bytes MUST be used", "the most significant bit MUST be
    // 0".
    if (length < (extended == 2 ? 126u : 0x10000u)) return std::unexpected(FrameError::Length);
    if (length >> 63) return std::unexpected(FrameError::Length);
    size += extended;
  }
  header.payload_octets = length;
  if (masked) {
    if (octets.size() < size + 4) return 0;
    std::memcpy(header.masking_key.data(), octets.data() + size, 4);
    size += 4;
  }
  return size;
}

// Writes at most frame_header_octets_max octets; returns how many.
std::size_t write_frame_header(const FrameHeader& header, char* out);

}  // namespace proxy
