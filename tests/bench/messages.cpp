#include "tests/bench/messages.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <string_view>
#include <utility>

namespace tests::bench {

namespace {

// Not zero, which some implementations shortcut, and one for all: unmasking costs the same with
// every other.
constexpr MaskingKey masking_key{0x9d, 0x3c, 0xe1, 0x56};

using Sequence = std::array<std::uint8_t, MessageLayout::sequence_octets>;
using RoomNumber = std::array<std::uint8_t, MessageLayout::room_digits>;

// Letters, so that it may stand in text.
Sequence sequence_text(std::uint32_t sequence) {
  Sequence text;
  for (std::uint8_t& letter : text) {
    letter = static_cast<std::uint8_t>('a' + (sequence & 0xf));
    sequence >>= 4;
  }
  return text;
}

RoomNumber room_number(std::uint32_t room) {
  assert(room < Messages::rooms_max);
  RoomNumber digits;
  for (std::size_t i = digits.size(); i-- > 0; room /= 10) {
    digits[i] = static_cast<std::uint8_t>('0' + room % 10);
  }
  return digits;
}

MessageLayout make_layout(Content content, std::size_t octets) {
  MessageLayout layout;
  std::string& payload = layout.octets;
  payload.reserve(octets);
  if (content == Content::Binary) {
    std::uint32_t state = 1;
    while (payload.size() < octets) {
      state = state * 1'664'525 + 1'013'904'223;
      payload.push_back(static_cast<char>(state >> 24));
    }
    return layout;
  }
  constexpr std::string_view ascii = R"({"type":"message","room":"r1","payload":{"n":17}},)";
  constexpr std::string_view mixed =
      "Grüße aus Łódź, そして 東京から; и из Москвы 🙂. ";
  const std::string_view sample = content == Content::Text ? ascii : mixed;
  payload.resize(Messages::octets_min, 'a');
  while (payload.size() + sample.size() <= octets) {
    payload += sample;
  }
  payload.resize(octets, ' ');  // not in the middle of a character
  return layout;
}

}  // namespace

Messages::Messages(Content content, std::size_t octets, std::uint32_t frames_max)
    : Messages(content == Content::Binary ? Opcode::Binary : Opcode::Text,
               make_layout(content, octets), make_layout(content, octets), frames_max, 1) {}

Messages::Messages(const MessageLayout& sent, const MessageLayout& received,
                   std::uint32_t frames_max, std::uint32_t rooms)
    : Messages(Opcode::Text, sent, received, frames_max, rooms) {}

Messages::Messages(Opcode opcode, const MessageLayout& sent, MessageLayout received,
                   std::uint32_t frames_max, std::uint32_t rooms)
    : opcode_(opcode),
      sequence_at_(sent.sequence_at),
      room_at_(sent.room_at),
      received_(std::move(received)),
      frames_max_(frames_max),
      rooms_(rooms) {
  assert(sent.sequence_at + MessageLayout::sequence_octets <= sent.octets.size());
  assert(received_.sequence_at + MessageLayout::sequence_octets <= received_.octets.size());
  assert(rooms_ >= 1 && rooms_ <= rooms_max);
  const Sequence sequence = sequence_text(0);
  std::ranges::copy(sequence,
                    received_.octets.begin() + static_cast<std::ptrdiff_t>(received_.sequence_at));
  std::array<std::uint8_t, frame_head_octets_max> head;
  FrameHead fields{.opcode = opcode_, .payload_octets = received_.octets.size()};
  received_head_.assign(head.data(), head.data() + write_frame_head(head.data(), fields));
  fields.payload_octets = sent.octets.size();
  fields.key = masking_key;
  head_octets_ = write_frame_head(head.data(), fields);
  frame_octets_ = head_octets_ + sent.octets.size();
  frames_.resize(frame_octets_ * frames_max);
  for (std::size_t i = 0; i < frames_max; ++i) {
    std::uint8_t* frame = frames_.data() + i * frame_octets_;
    std::memcpy(frame, head.data(), head_octets_);
    mask(frame + head_octets_, reinterpret_cast<const std::uint8_t*>(sent.octets.data()),
         sent.octets.size(), masking_key, 0);
  }
}

std::span<const std::uint8_t> Messages::frames(std::uint32_t first, std::uint32_t count) {
  assert(count <= frames_max_);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint8_t* payload = frames_.data() + i * frame_octets_ + head_octets_;
    const Sequence text = sequence_text(first + i);
    mask(payload + sequence_at_, text.data(), text.size(), masking_key, sequence_at_);
    if (room_at_) {
      const RoomNumber room = room_number((first + i) % rooms_);
      mask(payload + *room_at_, room.data(), room.size(), masking_key, *room_at_);
    }
  }
  return {frames_.data(), count * frame_octets_};
}

bool Messages::matches(std::uint32_t sequence, std::size_t offset,
                       std::span<const std::uint8_t> part) {
  std::string& expected = received_.octets;
  if (offset + part.size() > expected.size()) {
    return false;
  }
  // The members of a room get the same message, one after the other.
  if (sequence != received_sequence_) {
    received_sequence_ = sequence;
    const Sequence text = sequence_text(sequence);
    std::memcpy(expected.data() + received_.sequence_at, text.data(), text.size());
    if (received_.room_at) {
      const RoomNumber room = room_number(sequence % rooms_);
      std::memcpy(expected.data() + *received_.room_at, room.data(), room.size());
    }
  }
  return std::memcmp(part.data(), expected.data() + offset, part.size()) == 0;
}

std::string room_number_text(std::uint32_t room) {
  const RoomNumber digits = room_number(room);
  return {digits.begin(), digits.end()};
}

}  // namespace tests::bench
