#include "proxy/frame_reader.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace proxy {

FrameReader::Step FrameReader::next(std::string_view& input, const ReaderLimits& limits) {
  switch (state_) {
    case State::Header:
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

FrameReader::Step FrameReader::read_header(std::string_view& input, const ReaderLimits& limits) {
  if (partial_header_octets_ > 0) return complete_header(input, limits);
  auto size = parse_frame_header(input, masked_, header_);
  if (!size) return fail(StatusCode::ProtocolError);
  if (*size == 0) return keep_partial_header(input);
  bool is_message = header_.fin && begins_message() && !is_control(header_.opcode) && !in_message_;
  if (is_message && header_.payload_octets <= input.size() - *size) {
    return read_whole_message(input, *size, limits);
  }
  auto header_octets = input.substr(0, *size);
  input.remove_prefix(*size);
  return begin_frame(header_octets, input, limits);
}

// Most messages are this, so it is one step and leaves no state behind.
FrameReader::Step FrameReader::read_whole_message(std::string_view& input,
                                                  std::size_t header_octets,
                                                  const ReaderLimits& limits) {
  if (header_.payload_octets > limits.message_octets_max) return fail(StatusCode::MessageTooBig);
  auto frame = input.substr(0, header_octets + header_.payload_octets);
  if (header_.opcode == Opcode::Text) {
    Utf8Validator utf8;
    auto payload = frame.substr(header_octets);
    bool valid =
        masked_ ? utf8.receive_masked(payload, header_.masking_key, 0) : utf8.receive(payload);
    if (!valid || !utf8.complete()) return fail(StatusCode::InvalidPayload);
  }
  input.remove_prefix(frame.size());
  return {Kind::Message, frame};
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
