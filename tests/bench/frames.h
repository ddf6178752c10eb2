// RFC 6455 as far as a load generator and an echo backend need it: frame heads, masking, and the
// Sec-WebSocket-Accept of a key. Own code and not the gateway's, so that a fault of one is seen by
// the other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tests::bench {

enum class Opcode : std::uint8_t {
  Continuation = 0,
  Text = 1,
  Binary = 2,
  Close = 8,
  Ping = 9,
  Pong = 10,
};

constexpr bool is_control(Opcode opcode) { return static_cast<std::uint8_t>(opcode) >= 8; }

using MaskingKey = std::array<std::uint8_t, 4>;

inline constexpr std::size_t frame_head_octets_max = 14;
inline constexpr std::size_t control_payload_octets_max = 125;

struct FrameHead {
  bool fin = true;
  Opcode opcode = Opcode::Binary;
  std::optional<MaskingKey> key = std::nullopt;
  std::uint64_t payload_octets = 0;
  std::size_t head_octets = 0;  // of the head itself
};

// None: not complete yet.
std::optional<FrameHead> read_frame_head(std::span<const std::uint8_t> octets);

// Writes at most frame_head_octets_max octets and says how many.
std::size_t write_frame_head(std::uint8_t* out, const FrameHead& head);

// `offset`: where in the payload `in` begins (section 5.3). `out` may be `in`.
void mask(std::uint8_t* out, const std::uint8_t* in, std::size_t octets, MaskingKey key,
          std::uint64_t offset);

// A whole control frame.
std::string control_frame(Opcode opcode, std::string_view payload, std::optional<MaskingKey> key);

// Section 4.2.2, step 5.4.
std::string accept_of(std::string_view key);

}  // namespace tests::bench
