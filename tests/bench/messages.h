// The messages that the load sends, made in advance: one block of equal frames, of which only the
// sequence number changes, so that any number of messages is one write without a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/bench/frames.h"

namespace tests::bench {

enum class Content : std::uint8_t {
  Binary,  // octets of which few are UTF-8
  Text,    // ASCII, as most JSON is
  Mixed,   // one character in eight is not ASCII
};

class Messages {
 public:
  static constexpr std::size_t octets_min = 8;  // the sequence number

  Messages(Content content, std::size_t octets, std::uint32_t frames_max);

  // Masked frames with the sequence numbers `first`, `first` + 1, …; at most `frames_max`. Valid
  // until the next call.
  std::span<const std::uint8_t> frames(std::uint32_t first, std::uint32_t count);
  std::uint32_t frames_max() const { return frames_max_; }

  std::size_t octets() const { return payload_.size(); }
  Opcode opcode() const { return opcode_; }

  // What the head of an echo is that came in one frame.
  std::span<const std::uint8_t> echo_head() const { return echo_head_; }

  // Is `part` what a message with this sequence number has at `offset`?
  bool matches(std::uint32_t sequence, std::size_t offset,
               std::span<const std::uint8_t> part) const;

 private:
  std::vector<std::uint8_t> payload_;  // with room for the sequence number at its beginning
  Opcode opcode_;
  std::uint32_t frames_max_;
  std::size_t frame_octets_ = 0;
  std::size_t head_octets_ = 0;
  std::vector<std::uint8_t> frames_;
  std::vector<std::uint8_t> echo_head_;
};

}  // namespace tests::bench
