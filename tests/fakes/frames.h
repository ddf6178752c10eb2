// Frames as a test writes and reads them: straight from RFC 6455 section 5.2, sharing no code with
// the program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

inline std::string length_octets(std::uint64_t size, unsigned mask_bit) {
  std::string octets;
  auto put = [&](std::uint64_t value) { octets += static_cast<char>(value & 0xFF); };
  if (size < 126) {
    put(mask_bit | size);
    return octets;
  }
  put(mask_bit | (size < 65536 ? 126 : 127));
  for (int shift = size < 65536 ? 8 : 56; shift >= 0; shift -= 8) put(size >> shift);
  return octets;
}

// `first`: FIN, RSV and opcode, such as 0x81.
inline std::string unmasked(int first, std::string_view payload) {
  return std::string(1, static_cast<char>(first)) + length_octets(payload.size(), 0) +
         std::string(payload);
}

inline std::string masked(int first, std::string_view payload) {
  constexpr std::string_view key = "\x37\xfa\x21\x3d";
  std::string frame(1, static_cast<char>(first));
  frame += length_octets(payload.size(), 0x80);
  frame += key;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame += static_cast<char>(payload[i] ^ key[i % 4]);
  }
  return frame;
}

inline std::string close_body(unsigned code, std::string_view reason = {}) {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)} +
         std::string(reason);
}

struct ReadFrame {
  int first;  // FIN, RSV and opcode
  bool masked;
  std::string payload;

  bool operator==(const ReadFrame&) const = default;
};

// All frames of a stream that ends with a whole frame; otherwise the last one's `first` is -1.
inline std::vector<ReadFrame> read_frames(std::string_view octets) {
  std::vector<ReadFrame> frames;
  auto take = [&](std::size_t size) {
    auto taken = octets.substr(0, size);
    octets.remove_prefix(taken.size());
    return taken;
  };
  while (!octets.empty()) {
    ReadFrame frame{static_cast<std::uint8_t>(take(1)[0]), false, {}};
    auto second = static_cast<std::uint8_t>(octets.empty() ? 0 : take(1)[0]);
    frame.masked = second & 0x80;
    std::uint64_t size = second & 0x7F;
    if (size >= 126) {
      auto extended = take(size == 126 ? 2 : 8);
      size = 0;
      for (char octet : extended) size = size << 8 | static_cast<std::uint8_t>(octet);
    }
    auto key = frame.masked ? take(4) : std::string_view("\0\0\0\0", 4);
    frame.payload = take(size);
    if (frame.payload.size() != size || key.size() != 4) {
      frames.push_back({-1, false, {}});
      return frames;
    }
    for (std::size_t i = 0; i < size; ++i) {
      frame.payload[i] = static_cast<char>(frame.payload[i] ^ key[i % 4]);
    }
    frames.push_back(frame);
  }
  return frames;
}

}  // namespace tests
