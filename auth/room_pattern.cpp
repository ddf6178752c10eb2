#include "auth/room_pattern.h"

#include <algorithm>

#include "auth/captures.h"
#include "auth/room_name.h"
#include "auth/utf8.h"

namespace auth {
namespace {

constexpr bool ends_capture(char c) { return c == ':' || c == '/' || c == '.'; }

std::size_t octets_of_capture(std::string_view left) {
  std::size_t octets = 0;
  while (octets < left.size() && !ends_capture(left[octets])) ++octets;
  return octets;
}

std::string in_braces(std::string_view name) { return "'{" + std::string(name) + "}'"; }

// What is wrong with `text` before its braces are looked at; empty: nothing.
std::string fault_of_text(std::string_view text) {
  if (text.empty()) return "an empty pattern matches no room: write '*' for every room";
  if (text.size() > RoomPattern::octets_max) {
    return "a pattern has at most " + std::to_string(RoomPattern::octets_max) + " octets";
  }
  if (!utf8_without_controls(text)) {
    return "no room has this name: a pattern is UTF-8 without control characters";
  }
  return {};
}

std::string fault_of_end(std::string_view name, std::string_view after) {
  if (name.ends_with('+') && !after.empty()) {
    return in_braces(name) + " takes all that is left: write it at the end, or " +
           in_braces(name.substr(0, name.size() - 1));
  }
  if (!name.ends_with('+') && !after.empty() && !ends_capture(after.front())) {
    return in_braces(name) + " ends at ':', '/' or '.': write one of these after it, or nothing";
  }
  return {};
}

}  // namespace

std::expected<RoomPattern, std::string> RoomPattern::parse(std::string_view text) {
  if (std::string fault = fault_of_text(text); !fault.empty()) return std::unexpected(fault);
  RoomPattern pattern;
  pattern.text_ = text;
  if (std::string fault = pattern.parse_pieces(); !fault.empty()) return std::unexpected(fault);
  const auto wildcards = std::ranges::count_if(
      pattern.pieces_, [](const Piece& piece) { return piece.kind != Kind::Literal; });
  if (static_cast<std::size_t>(wildcards) > wildcards_max) {
    return std::unexpected("a pattern has at most " + std::to_string(wildcards_max) +
                           " of '*' and '{name}' together");
  }
  return pattern;
}

std::string RoomPattern::parse_pieces() {
  const std::string_view text = text_;
  const auto add = [this](Kind kind, std::size_t offset, std::size_t octets) {
    pieces_.push_back(
        {kind, static_cast<std::uint16_t>(offset), static_cast<std::uint16_t>(octets)});
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '*') {
      add(Kind::AnyRun, at++, 1);
    } else if (text[at] == '{') {
      if (std::string fault = parse_capture(at); !fault.empty()) return fault;
    } else if (text[at] == '}') {
      return "'}' without '{': a capture is written '{name}'";
    } else {
      const std::size_t end = std::min(text.find_first_of("*{}", at), text.size());
      add(Kind::Literal, at, end - at);
      at = end;
    }
  }
  return {};
}

std::string RoomPattern::parse_capture(std::size_t& at) {
  const std::string_view text = text_;
  const std::size_t close = text.find_first_of("{}", at + 1);
  if (close == text.npos || text[close] == '{') {
    return "'{' without '}': a capture is written '{name}'";
  }
  const std::string_view inside = text.substr(at + 1, close - at - 1);
  const bool rest = inside.ends_with('+');
  const std::string_view name = inside.substr(0, inside.size() - (rest ? 1 : 0));
  if (!valid_capture_name(name)) {
    return in_braces(inside) +
           " is no capture: write a name of letters, digits and '_' that does " +
           "not begin with a digit, as in '{room}' or, for all that is left, '{room+}'";
  }
  const std::vector<std::string_view> names = capture_names();
  if (std::ranges::find(names, name) != names.end()) {
    return in_braces(name) + " is there twice: give each capture a name of its own";
  }
  pieces_.push_back({rest ? Kind::CaptureRest : Kind::Capture, static_cast<std::uint16_t>(at + 1),
                     static_cast<std::uint16_t>(name.size())});
  at = close + 1;
  return fault_of_end(inside, text.substr(at));
}

struct RoomPattern::Reading {
  std::size_t piece = 0;
  std::size_t at = 0;  // in the room
  std::size_t captured = 0;
};

// Takes the next piece, which is no AnyRun. There is one way at most: a capture ends at the first
// octet that none may have.
bool RoomPattern::take(std::string_view room, Reading& reading, Found& found) const {
  const Piece& piece = pieces_[reading.piece];
  const std::string_view left = room.substr(reading.at);
  std::size_t octets = piece.octets;
  if (piece.kind == Kind::Literal) {
    if (!left.starts_with(text_of(piece))) return false;
  } else {
    octets = piece.kind == Kind::CaptureRest ? left.size() : octets_of_capture(left);
    if (octets == 0) return false;
    found[reading.captured++] = {text_of(piece), left.substr(0, octets)};
  }
  reading.at += octets;
  ++reading.piece;
  return true;
}

// Where something does not fit, only the last '*' is made longer, never one before it: what is
// between two of them and begins earlier ends no later, so that the rest has no less to fit in.
bool RoomPattern::matches(
    std::string_view room,
    std::vector<std::pair<std::string_view, std::string_view>>& captures) const {
  if (room.size() > room_name_octets_max) return false;
  Found found;
  Reading reading;
  Reading behind_run;  // piece 0: no '*' yet
  while (reading.piece < pieces_.size() || reading.at < room.size()) {
    const bool more = reading.piece < pieces_.size();
    if (more && pieces_[reading.piece].kind == Kind::AnyRun) {
      if (++reading.piece == pieces_.size()) break;  // it takes all that is left
      behind_run = reading;
    } else if (!more || !take(room, reading, found)) {
      if (behind_run.piece == 0 || behind_run.at == room.size()) return false;
      ++behind_run.at;
      reading = behind_run;
    }
  }
  captures.insert(captures.end(), found.begin(), found.begin() + reading.captured);
  return true;
}

std::vector<std::string_view> RoomPattern::capture_names() const {
  std::vector<std::string_view> names;
  for (const Piece& piece : pieces_) {
    const bool capture = piece.kind == Kind::Capture || piece.kind == Kind::CaptureRest;
    if (capture) names.push_back(text_of(piece));
  }
  return names;
}

bool capability_pattern_fits(std::string_view pattern, std::string_view room) {
  if (pattern.size() > RoomPattern::octets_max || room.size() > room_name_octets_max) return false;
  std::size_t in_pattern = 0;
  std::size_t at = 0;
  std::size_t after_run = 0;  // 0: there was no '*' yet
  std::size_t run_end = 0;
  while (at < room.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      after_run = ++in_pattern;
      run_end = at;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == room[at]) {
      ++in_pattern, ++at;
    } else if (after_run > 0) {
      in_pattern = after_run;
      at = ++run_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', in_pattern) == pattern.npos;
}

}  // namespace auth
