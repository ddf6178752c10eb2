#include "proxy/frame.h"

#include <cstring>

namespace proxy {

namespace {

std::uint64_t big_endian(std::string_view octets) {
  std::uint64_t value = 0;
  for (char octet : octets) value = value << 8 | static_cast<std::uint8_t>(octet);
  return value;
}

bool known(std::uint8_t opcode) { return opcode <= 0x2 || (opcode >= 0x8 && opcode <= 0xA); }

}  // namespace

std::expected<std::size_t, FrameError> parse_frame_header(std::string_view octets, bool masked,
                                                          FrameHeader& header) {
  if (octets.empty()) return 0;
  auto first = static_cast<std::uint8_t>(octets[0]);
  if (first & 0x70) return std::unexpected(FrameError::ReservedBit);
  if (!known(first & 0x0F)) return std::unexpected(FrameError::ReservedOpcode);
  header.fin = first & 0x80;
  header.opcode = static_cast<Opcode>(first & 0x0F);
  if (is_control(header.opcode) && !header.fin) return std::unexpected(FrameError::ControlFrame);
  if (octets.size() < 2) return 0;

  auto second = static_cast<std::uint8_t>(octets[1]);
  header.masked = second & 0x80;
  if (header.masked != masked) return std::unexpected(FrameError::Masking);
  std::uint64_t length = second & 0x7F;
  if (is_control(header.opcode) && length > control_payload_octets_max) {
    return std::unexpected(FrameError::ControlFrame);
  }
  std::size_t size = 2;
  if (length >= 126) {
    std::size_t extended = length == 126 ? 2 : 8;
    if (octets.size() < size + extended) return 0;
    length = big_endian(octets.substr(size, extended));
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

std::size_t write_frame_header(const FrameHeader& header, char* out) {
  std::size_t size = 0;
  auto put = [&](std::uint64_t octet) { out[size++] = static_cast<char>(octet & 0xFF); };
  put((header.fin ? 0x80u : 0u) | static_cast<std::uint8_t>(header.opcode));
  unsigned mask = header.masked ? 0x80u : 0u;
  if (header.payload_octets < 126) {
    put(mask | header.payload_octets);
  } else if (header.payload_octets <= 0xFFFF) {
    put(mask | 126);
    put(header.payload_octets >> 8);
    put(header.payload_octets);
  } else {
    put(mask | 127);
    for (int shift = 56; shift >= 0; shift -= 8) put(header.payload_octets >> shift);
  }
  if (header.masked) {
    std::memcpy(out + size, header.masking_key.data(), 4);
    size += 4;
  }
  return size;
}

}  // namespace proxy
