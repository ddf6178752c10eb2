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
  FrameHeader header;
  std::string_view octets = input;
  if (partial_header_octets_ > 0) {
    auto more = std::min(input.size(), partial_header_.size() - partial_header_octets_);
    std::memcpy(partial_header_.data() + partial_header_octets_, input.data(), more);
    octets = {partial_header_.data(), partial_header_octets_ + more};
  }
  auto size = parse_frame_header(octets, masked_, header);
  if (!size) return fail(StatusCode::ProtocolError);
  if (*size == 0) {
    if (partial_header_octets_ == 0) {
      std::memcpy(partial_header_.data(), input.data(), input.size());
    }
    partial_header_octets_ = static_cast<std::uint8_t>(octets.size());
    input = {};
    return {Kind::NeedsMore, {}};
  }
  bool came_whole = partial_header_octets_ == 0;
  auto taken = *size - partial_header_octets_;
  auto header_octets = came_whole ? input.substr(0, taken) : std::string_view{};
  input.remove_prefix(taken);
  partial_header_octets_ = 0;
  taken_ = offset_ = 0;
  if (!is_control(header.opcode)) {
    header_ = header;
    return begin_data_frame(header_octets, limits);
  }
  // A control frame lies between the fragments of a message and leaves its state alone, but for
  // header_, which is that of a data frame that is complete.
  header_ = header;
  state_ = State::Control;
  control_.clear();
  return read_control(input);
}

FrameReader::Step FrameReader::begin_data_frame(std::string_view header_octets,
                                                const ReaderLimits& limits) {
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
