// The messages that the load sends, made in advance: one block of equal frames, of which only the
// sequence number changes, so that any number of messages is one write without a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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

// A message, and where in it its numbers have their places.
struct MessageLayout {
  static constexpr std::size_t sequence_octets = 8;
  static constexpr std::size_t room_digits = 5;

  std::string octets;
  std::size_t sequence_at = 0;
  std::optional<std::size_t> room_at = std::nullopt;  // none: all messages name one room, or none
};

class Messages {
 public:
  static constexpr std::size_t octets_min = MessageLayout::sequence_octets;
  static constexpr std::uint32_t rooms_max = 100'000;  // what its digits can say

  // What is sent comes back.
  Messages(Content content, std::size_t octets, std::uint32_t frames_max);
  // Text of which something else comes than was sent, with the same numbers in it. Where there is a
  // place for the room, message n goes to room n modulo `rooms`.
  Messages(const MessageLayout& sent, const MessageLayout& received, std::uint32_t frames_max,
           std::uint32_t rooms = 1);

  // Masked frames with the sequence numbers `first`, `first` + 1, …; at most `frames_max`. Valid
  // until the next call.
  std::span<const std::uint8_t> frames(std::uint32_t first, std::uint32_t count);
  std::uint32_t frames_max() const { return frames_max_; }

  // Of a message that is received.
  std::size_t octets() const { return received_.octets.size(); }
  Opcode opcode() const { return opcode_; }

  // What the head of one is that came in one frame.
  std::span<const std::uint8_t> received_head() const { return received_head_; }

  // Is `part` what a received message with this sequence number has at `offset`?
  bool matches(std::uint32_t sequence, std::size_t offset, std::span<const std::uint8_t> part);

 private:
  Messages(Opcode opcode, const MessageLayout& sent, MessageLayout received,
           std::uint32_t frames_max, std::uint32_t rooms);

  Opcode opcode_;
  std::size_t sequence_at_;             // of what is sent
  std::optional<std::size_t> room_at_;  // likewise
  MessageLayout received_;              // with the numbers of `received_sequence_`
  std::uint32_t received_sequence_ = 0;
  std::uint32_t frames_max_;
  std::uint32_t rooms_;
  std::size_t frame_octets_ = 0;
  std::size_t head_octets_ = 0;
  std::vector<std::uint8_t> frames_;
  std::vector<std::uint8_t> received_head_;
};

// A room's number as it stands in its name.
std::string room_number_text(std::uint32_t room);

}  // namespace tests::bench
