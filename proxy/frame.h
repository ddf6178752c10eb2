// The header of a WebSocket frame (RFC 6455 section 5.2): reading and writing it, and nothing
// behind it. No I/O, no state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
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
// its sender has to mask. An error is found as soon as the octets that show it are there.
std::expected<std::size_t, FrameError> parse_frame_header(std::string_view octets, bool masked,
                                                          FrameHeader& header);

// Writes at most frame_header_octets_max octets; returns how many.
std::size_t write_frame_header(const FrameHeader& header, char* out);

}  // namespace proxy
