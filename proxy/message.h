// A whole message (RFC 6455 section 5.4) as its sender meant it: unmasked, its fragments joined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/frame.h"

namespace proxy {

// A parser that reads in wide steps may read this far behind a payload, whatever is there.
inline constexpr std::size_t message_padding_octets = 64;

// Borrowed for the call that hands it over.
struct Message {
  Opcode opcode = Opcode::Text;  // or Binary
  std::string_view payload;      // message_padding_octets behind it may be read
};

// Octets of one message of this thread at a time: unmasked, with the padding behind them. Good
// until the next call. At most what one read brings, so the buffer is made once.
std::string_view unmasked_copy(std::string_view payload, const FrameHeader& header);

// A message that comes in parts. It grows with what has come, never by what was announced.
class MessageAssembly {
 public:
  explicit MessageAssembly(Opcode opcode) : opcode_(opcode), payload_(message_padding_octets, 0) {}

  // `octets` as they came, from `offset` on in the frame of this header.
  void append(std::string_view octets, const FrameHeader& header, std::uint64_t offset);

  // Of what has come; until the next append().
  Message message() const { return {opcode_, {payload_.data(), size_}}; }

 private:
  Opcode opcode_;
  std::string payload_;  // and the padding behind it
  std::size_t size_ = 0;
};

}  // namespace proxy
