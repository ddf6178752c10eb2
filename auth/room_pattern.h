// Patterns of room names: the `match` of a room rule, and those that a capability grants
// (CONTRACT 2). Literals are compared octet by octet, case-sensitively.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace auth {

// "*" is any run of octets, also an empty one. "{name}" captures a non-empty run without ':', '/'
// and '.', which ends at one of these or with the room; "{name+}", at the end, all that is left, at
// least an octet. Of several readings the one counts in which each '*', from the left, is shortest.
class RoomPattern {
 public:
  static constexpr std::size_t wildcards_max = 8;  // '*', {name} and {name+} together
  static constexpr std::size_t octets_max = 256;

  // The error is a sentence for the operator.
  static std::expected<RoomPattern, std::string> parse(std::string_view text);

  // Appends captures: views into `room` and into this pattern; nothing where it does not match, nor
  // is anything allocated then. A room of more than room_name_octets_max octets never matches. At
  // most octets of the room x (octets of the room + of the pattern) steps.
  bool matches(std::string_view room,
               std::vector<std::pair<std::string_view, std::string_view>>& captures) const;

  std::vector<std::string_view> capture_names() const;  // in order; views into this pattern
  const std::string& text() const { return text_; }

 private:
  enum class Kind : std::uint8_t { Literal, AnyRun, Capture, CaptureRest };
  struct Piece {
    Kind kind = Kind::Literal;
    std::uint16_t offset = 0;  // in text_, of the literal or the capture's name
    std::uint16_t octets = 0;
  };

  struct Reading;  // how far pattern and room have been read
  using Found = std::array<std::pair<std::string_view, std::string_view>, wildcards_max>;

  std::string parse_pieces();
  std::string parse_capture(std::size_t& at);
  std::string_view text_of(const Piece& piece) const {
    return std::string_view(text_).substr(piece.offset, piece.octets);
  }
  bool take(std::string_view room, Reading& reading, Found& found) const;

  std::string text_;
  std::vector<Piece> pieces_;
};

// Is `room` one of those that a capability's `pattern` grants? '*' is any run; anything else,
// braces too, is itself. Over RoomPattern::octets_max octets, or a room over room_name_octets_max:
// no. At most octets of the room x of the pattern steps.
bool capability_pattern_fits(std::string_view pattern, std::string_view room);

}  // namespace auth
