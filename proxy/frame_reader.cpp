#include "proxy/frame_reader.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace proxy {

namespace {

constexpr std::uint8_t whole_text = 0x81;  // the first octet: FIN and the opcode
constexpr std::uint8_t whole_binary = 0x82;

struct WholeMessage {
  std::size_t header_octets = 0;  // 0: there is none
  std::size_t payload_octets = 0;
};

// The message at the front of `octets`, if it is in a single frame and that is here as a whole.
// Where it says none, parse_frame_header() says why: so much of the header as this must be read for
// every message, all else about it once a read.
WholeMessage find_whole_message(std::string_view octets, bool masked,
                                std::uint64_t message_octets_max) {
  auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(octets[i]); };
  if (octets.size() < 2 || (at(0) != whole_text && at(0) != whole_binary)) return {};
  if ((at(1) & 0x80) != (masked ? 0x80 : 0)) return {};
  std::size_t header_octets = masked ? 2 + sizeof(MaskingKey) : 2;
  std::uint64_t payload_octets = at(1) & 0x7F;
  if (payload_octets == 126) {
    header_octets += 2;
    if (octets.size() < header_octets) return {};
    payload_octets = std::uint64_t{at(2)} << 8 | at(3);
    if (payload_octets < 126) return {};
  } else if (payload_octets == 127) {
    FrameHeader header;
    auto size = parse_frame_header(octets, masked, header);
    if (!size || *size == 0) return {};
    header_octets = *size;
    payload_octets = header.payload_octets;
  }
  if (octets.size() < header_octets || octets.size() - header_octets < payload_octets) return {};
  if (payload_octets > message_octets_max) return {};
  return {header_octets, payload_octets};
}

bool payload_is_text(std::string_view message, std::size_t header_octets, bool masked) {
  auto payload = message.substr(header_octets);
  if (!masked) return valid_utf8(payload);
  MaskingKey key;
  std::memcpy(key.data(), payload.data() - key.size(), key.size());
  return valid_utf8_masked(payload, key);
}

}  // namespace

FrameReader::Step FrameReader::next(std::string_view& input, const ReaderLimits& limits,
                                    std::uint64_t messages_max) {
  switch (state_) {
    case State::Header:
      if (partial_header_octets_ > 0) return complete_header(input, limits);
      if (!in_message_) return read_messages(input, limits, messages_max);
      return read_header(input, limits);
    case State::Payload:
      return read_payload(input);
    case State::Control:
      return read_control(input);
    case State::Dead:
      break;
  }
  input = {};
  return {Kind::NeedsMore, {}};
}

// Most input is this, so it takes one step, and leaves no state behind.
FrameReader::Step FrameReader::read_messages(std::string_view& input, const ReaderLimits& limits,
                                             std::uint64_t messages_max) {
  Tally found;
  auto rest = input;
  while (found.messages < messages_max) {
    auto [header, payload] = find_whole_message(rest, masked_, limits.message_octets_max);
    if (header == 0) break;
    auto size = header + payload;
    bool text = static_cast<std::uint8_t>(rest.front()) == whole_text;
    if (text && !payload_is_text(rest.substr(0, size), header, masked_)) {
      if (found.messages > 0) break;  // what is in front of it goes first
      return fail(StatusCode::InvalidPayload);
    }
    rest.remove_prefix(size);
    found += {1, payload};
  }
  if (found.messages == 0) return read_header(input, limits);
  if (found.messages == 1) (void)parse_frame_header(input, masked_, header_);
  auto messages = input.substr(0, input.size() - rest.size());
  input = rest;
  return {Kind::Messages, messages, found};
}

FrameReader::Step FrameReader::read_header(std::string_view& input, const ReaderLimits& limits) {
  auto size = parse_frame_header(input, masked_, header_);
  if (!size) return fail(StatusCode::ProtocolError);
  if (*size == 0) return keep_partial_header(input);
  auto header_octets = input.substr(0, *size);
  input.remove_prefix(*size);
  return begin_frame(header_octets, input, limits);
}

FrameReader::Step FrameReader::keep_partial_header(std::string_view& input) {
  auto room = partial_header_.size() - partial_header_octets_;
  auto kept = input.copy(partial_header_.data() + partial_header_octets_, room);
  partial_header_octets_ = static_cast<std::uint8_t>(partial_header_octets_ + kept);
  input = {};
  return {Kind::NeedsMore, {}};
}

FrameReader::Step FrameReader::complete_header(std::string_view& input,
                                               const ReaderLimits& limits) {
  std::size_t before = partial_header_octets_;
  auto whole = partial_header_;
  auto size = before + input.copy(whole.data() + before, whole.size() - before);
  auto parsed = parse_frame_header({whole.data(), size}, masked_, header_);
  if (!parsed) return fail(StatusCode::ProtocolError);
  if (*parsed == 0) return keep_partial_header(input);
  input.remove_prefix(*parsed - before);
  partial_header_octets_ = 0;
  return begin_frame({}, input, limits);
}

FrameReader::Step FrameReader::begin_frame(std::string_view header_octets, std::string_view& input,
                                           const ReaderLimits& limits) {
  taken_ = offset_ = 0;
  if (is_control(header_.opcode)) {
    // It lies between the fragments of a message, and leaves what is known of that alone.
    state_ = State::Control;
    control_.clear();
    return read_control(input);
  }
  // Section 5.4: a continuation continues something, and nothing else comes in between.
  if (in_message_ == begins_message()) return fail(StatusCode::ProtocolError);
  if (begins_message()) {
    in_message_ = true;
    text_ = header_.opcode == Opcode::Text;
    message_octets_ = message_frames_ = 0;
    utf8_ = {};
  }
  if (header_.payload_octets > limits.message_octets_max - message_octets_) {
    return fail(StatusCode::MessageTooBig);
  }
  message_octets_ += header_.payload_octets;
  if (++message_frames_ > limits.frames_per_message_max) return fail(StatusCode::PolicyViolation);
  state_ = State::Payload;
  return {Kind::DataFrame, header_octets};
}

FrameReader::Step FrameReader::read_payload(std::string_view& input) {
  auto left = header_.payload_octets - taken_;
  if (input.empty() && left > 0) return {Kind::NeedsMore, {}};
  auto octets = input.substr(0, left);
  input.remove_prefix(octets.size());
  offset_ = taken_;
  taken_ += octets.size();
  if (taken_ == header_.payload_octets) state_ = State::Header;
  if (text_ && text_is_broken(octets)) return fail(StatusCode::InvalidPayload);
  if (message_complete()) in_message_ = false;
  return {Kind::Payload, octets};
}

bool FrameReader::text_is_broken(std::string_view octets) {
  bool valid =
      masked_ ? utf8_.receive_masked(octets, header_.masking_key, offset_) : utf8_.receive(octets);
  return !valid || (message_complete() && !utf8_.complete());
}

FrameReader::Step FrameReader::read_control(std::string_view& input) {
  assert(header_.payload_octets <= control_payload_octets_max);
  auto octets = input.substr(0, header_.payload_octets - taken_);
  input.remove_prefix(octets.size());
  auto before = control_.size();
  control_.resize(before + octets.size());
  if (masked_) {
    unmask(octets, header_.masking_key, taken_, control_.data() + before);
  } else {
    std::memcpy(control_.data() + before, octets.data(), octets.size());
  }
  taken_ += octets.size();
  if (taken_ < header_.payload_octets) return {Kind::NeedsMore, {}};
  state_ = State::Header;
  switch (header_.opcode) {
    case Opcode::Ping:
      return {Kind::Ping, control_};
    case Opcode::Pong:
      return {Kind::Pong, control_};
    default:
      break;
  }
  state_ = State::Dead;  // section 5.5.1: nothing follows a Close frame
  return {Kind::Close, control_};
}

FrameReader::Step FrameReader::fail(StatusCode code) {
  state_ = State::Dead;
  failure_ = code;
  return {Kind::Failed, {}};
}

}  // namespace proxy
