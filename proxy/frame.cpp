#include "proxy/frame.h"

#include <cstring>

namespace proxy {

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
