// What one peer sends after the opening handshake (RFC 6455 sections 5 and 7), read in place:
// octets in, one step at a time out. No I/O; no memory but for a header or a control frame that
// came in parts, so an idle reader costs its own size.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "proxy/frame.h"
#include "proxy/status_code.h"
#include "proxy/utf8.h"

namespace proxy {

enum class Role : std::uint8_t { Client, Server };  // who dialled: a client masks what it sends

// So many messages, whole, and the octets of payload in them.
struct Tally {
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;

  Tally& operator+=(const Tally& more) {
    messages += more.messages;
    octets += more.octets;
    return *this;
  }
};

struct ReaderLimits {
  std::uint64_t message_octets_max = std::numeric_limits<std::int64_t>::max();
  std::uint64_t frames_per_message_max = std::numeric_limits<std::int64_t>::max();
};

class FrameReader {
 public:
  enum class Kind : std::uint8_t {
    NeedsMore,  // all input has been taken
    Messages,   // each in a single frame that is here as a whole: headers and payloads as they
                // came, one message behind the other. Reading them again, from the first octet,
                // gives the same
    DataFrame,  // the header of one, in header(); nothing of its payload has been read
    Payload,    // the next octets of that frame, as they came (masked where the sender masks)
    Ping,
    Pong,
    Close,
    Failed,  // failure() says how; nothing more is read
  };
  struct Step {
    Kind kind;
    // Messages, Payload: a view into the input. DataFrame: the header as it came, empty if in
    // parts. Ping, Pong, Close: the unmasked payload, until the next call.
    std::string_view octets;
    Tally messages{};  // of Messages
  };

  static constexpr auto messages_unlimited = std::numeric_limits<std::uint64_t>::max();

  explicit FrameReader(Role us) : masked_(us == Role::Server) {}

  // Takes the next step off the front of `input`; of Messages at most `messages_max` in one. A data
  // frame that is none of them gives one DataFrame and at least one Payload, also when that is
  // empty.
  Step next(std::string_view& input, const ReaderLimits& limits,
            std::uint64_t messages_max = messages_unlimited);

  // Of the latest DataFrame, or of Messages that are a single one.
  const FrameHeader& header() const { return header_; }
  bool begins_message() const { return header_.opcode != Opcode::Continuation; }
  std::uint64_t offset() const { return offset_; }  // of the latest Payload in its frame
  bool frame_complete() const { return state_ == State::Header; }  // after a Payload
  bool message_complete() const { return frame_complete() && header_.fin; }
  StatusCode failure() const { return failure_; }

 private:
  enum class State : std::uint8_t { Header, Payload, Control, Dead };

  Step read_header(std::string_view& input, const ReaderLimits& limits);
  Step read_messages(std::string_view& input, const ReaderLimits& limits,
                     std::uint64_t messages_max);
  Step complete_header(std::string_view& input, const ReaderLimits& limits);
  Step keep_partial_header(std::string_view& input);
  Step begin_frame(std::string_view header_octets, std::string_view& input,
                   const ReaderLimits& limits);
  Step read_payload(std::string_view& input);
  Step read_control(std::string_view& input);
  Step fail(StatusCode code);
  bool text_is_broken(std::string_view octets);

  bool masked_;
  State state_ = State::Header;
  bool in_message_ = false;
  bool text_ = false;  // the message in progress is
  std::uint8_t partial_header_octets_ = 0;
  StatusCode failure_ = StatusCode::NormalClosure;
  std::array<char, frame_header_octets_max> partial_header_;
  FrameHeader header_;
  std::uint64_t offset_ = 0;
  std::uint64_t taken_ = 0;  // of the frame's payload
  std::uint64_t message_octets_ = 0;
  std::uint64_t message_frames_ = 0;
  Utf8Validator utf8_;
  std::string control_;  // payload of a control frame, at most control_payload_octets_max
};

}  // namespace proxy
