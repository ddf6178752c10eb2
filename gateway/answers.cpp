#include "gateway/answers.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace gateway {
namespace {

using namespace std::literals;

// RFC 8259 section 7: these must be escaped, and nothing else is.
bool is_escaped(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void append_escaped(std::string& text, char c) {
  constexpr auto hex = "0123456789abcdef"sv;
  const auto octet = static_cast<unsigned char>(c);
  if (octet < 0x20) {
    text += "\\u00"sv;
    text += hex[octet >> 4];
    text += hex[octet & 0xf];
  } else {
    text += '\\';
    text += c;
  }
}

void append_string(std::string& text, std::string_view string) {
  text += '"';
  while (!string.empty()) {
    const auto plain = static_cast<std::size_t>(
        std::find_if(string.begin(), string.end(), is_escaped) - string.begin());
    text += string.substr(0, plain);
    if (plain == string.size()) break;
    append_escaped(text, string[plain]);
    string.remove_prefix(plain + 1);
  }
  text += '"';
}

// `name` with the comma, the colon and the quotes: `,"room":`.
void append_string_member(std::string& text, std::string_view name, std::string_view string) {
  if (string.empty()) return;
  text += name;
  append_string(text, string);
}

void append_raw_member(std::string& text, std::string_view name, std::string_view raw) {
  if (raw.empty()) return;
  text += name;
  text += raw;
}

constexpr std::size_t frame_octets = 96;  // of an answer, without what it is told

std::pair<std::string_view, std::string_view> code_and_message(RoomError error) {
  switch (error) {
    case RoomError::AccessDenied:
      return {"access_denied", "Access denied"};
    case RoomError::RateLimited:
      return {"rate_limited", "Rate limit exceeded"};
    case RoomError::NotAMember:
      return {"not_a_member", "Not a member of the room"};
    case RoomError::BadMessage:
      return {"bad_message", "Bad message"};
    case RoomError::TooManyRooms:
      return {"too_many_rooms", "Too many rooms"};
    case RoomError::Unavailable:
      return {"unavailable", "Unavailable, try again later"};
    case RoomError::InvalidToken:
      return {"invalid_token", "Invalid token"};
  }
  assert(false);
  return {};
}

}  // namespace

std::string_view name_of(RoomError error) { return code_and_message(error).first; }

std::string joined_answer(std::string_view room, std::string_view id_raw) {
  std::string text;
  text.reserve(frame_octets + room.size() + id_raw.size());
  text += R"({"type":"joined")"sv;
  append_string_member(text, R"(,"room":)"sv, room);
  append_raw_member(text, R"(,"id":)"sv, id_raw);
  text += '}';
  return text;
}

std::string left_answer(std::string_view room, std::string_view id_raw, std::string_view reason) {
  std::string text;
  text.reserve(frame_octets + room.size() + id_raw.size() + reason.size());
  text += R"({"type":"left")"sv;
  append_string_member(text, R"(,"room":)"sv, room);
  append_raw_member(text, R"(,"id":)"sv, id_raw);
  append_string_member(text, R"(,"reason":)"sv, reason);
  text += '}';
  return text;
}

std::string error_answer(RoomError error, std::string_view room, std::string_view id_raw,
                         std::optional<std::chrono::milliseconds> retry_after) {
  const auto [code, message] = code_and_message(error);
  std::string text;
  text.reserve(2 * frame_octets + room.size() + id_raw.size());
  text += R"({"type":"error")"sv;
  append_string_member(text, R"(,"code":)"sv, code);
  append_string_member(text, R"(,"message":)"sv, message);
  append_string_member(text, R"(,"room":)"sv, room);
  append_raw_member(text, R"(,"id":)"sv, id_raw);
  if (retry_after) {
    append_raw_member(text, R"(,"retry_after_ms":)"sv, std::to_string(retry_after->count()));
  }
  text += '}';
  return text;
}

std::string room_message(std::string_view room, std::string_view from,
                         std::string_view payload_raw) {
  std::string text;
  text.reserve(frame_octets + room.size() + from.size() + payload_raw.size());
  text += R"({"type":"message")"sv;
  append_string_member(text, R"(,"room":)"sv, room);
  append_string_member(text, R"(,"from":)"sv, from);
  append_raw_member(text, R"(,"payload":)"sv, payload_raw);
  text += '}';
  return text;
}

}  // namespace gateway
