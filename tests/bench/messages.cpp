#include "tests/bench/messages.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <string_view>

namespace tests::bench {

namespace {

// Not zero, which some implementations shortcut, and one for all: unmasking costs the same with
// every other.
constexpr MaskingKey masking_key{0x9d, 0x3c, 0xe1, 0x56};

using Sequence = std::array<std::uint8_t, Messages::octets_min>;

// Letters, so that it may stand in text.
Sequence sequence_text(std::uint32_t sequence) {
  Sequence text;
  for (std::uint8_t& letter : text) {
    letter = static_cast<std::uint8_t>('a' + (sequence & 0xf));
    sequence >>= 4;
  }
  return text;
}

std::vector<std::uint8_t> make_payload(Content content, std::size_t octets) {
  std::vector<std::uint8_t> payload;
  payload.reserve(octets);
  if (content == Content::Binary) {
    std::uint32_t state = 1;
    while (payload.size() < octets) {
      state = state * 1'664'525 + 1'013'904'223;
      payload.push_back(static_cast<std::uint8_t>(state >> 24));
    }
    return payload;
  }
  constexpr std::string_view ascii = R"({"type":"message","room":"r1","payload":{"n":17}},)";
  constexpr std::string_view mixed =
      "Grüße aus Łódź, そして 東京から; и из Москвы 🙂. ";
  const std::string_view sample = content == Content::Text ? ascii : mixed;
  payload.resize(Messages::octets_min, 'a');
  while (payload.size() + sample.size() <= octets) {
    payload.insert(payload.end(), sample.begin(), sample.end());
  }
  payload.resize(octets, ' ');  // not in the middle of a character
  return payload;
}

}  // namespace

Messages::Messages(Content content, std::size_t octets, std::uint32_t frames_max)
    : payload_(make_payload(content, octets)),
      opcode_(content == Content::Binary ? Opcode::Binary : Opcode::Text),
      frames_max_(frames_max) {
  assert(octets >= octets_min);
  std::array<std::uint8_t, frame_head_octets_max> head;
  FrameHead fields{.opcode = opcode_, .payload_octets = octets};
  echo_head_.assign(head.data(), head.data() + write_frame_head(head.data(), fields));
  fields.key = masking_key;
  head_octets_ = write_frame_head(head.data(), fields);
  frame_octets_ = head_octets_ + octets;
  frames_.resize(frame_octets_ * frames_max);
  for (std::size_t i = 0; i < frames_max; ++i) {
    std::uint8_t* frame = frames_.data() + i * frame_octets_;
    std::memcpy(frame, head.data(), head_octets_);
    mask(frame + head_octets_, payload_.data(), octets, masking_key, 0);
  }
}

std::span<const std::uint8_t> Messages::frames(std::uint32_t first, std::uint32_t count) {
  assert(count <= frames_max_);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Sequence text = sequence_text(first + i);
    mask(frames_.data() + i * frame_octets_ + head_octets_, text.data(), text.size(), masking_key,
         0);
  }
  return {frames_.data(), count * frame_octets_};
}

bool Messages::matches(std::uint32_t sequence, std::size_t offset,
                       std::span<const std::uint8_t> part) const {
  if (offset + part.size() > payload_.size()) {
    return false;
  }
  const Sequence text = sequence_text(sequence);
  const std::size_t in_sequence =
      offset < text.size() ? std::min(text.size() - offset, part.size()) : 0;
  if (in_sequence > 0 && std::memcmp(part.data(), text.data() + offset, in_sequence) != 0) {
    return false;
  }
  return std::equal(part.begin() + static_cast<std::ptrdiff_t>(in_sequence), part.end(),
                    payload_.begin() + static_cast<std::ptrdiff_t>(offset + in_sequence));
}

}  // namespace tests::bench
