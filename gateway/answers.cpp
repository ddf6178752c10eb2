#include "gateway/answers.h"

#include <cassert>
#include <utility>

#include "gateway/json_text.h"

namespace gateway {
namespace {

using namespace std::literals;

// `name` with the comma, the colon and the quotes: `,"room":`.
void append_string_member(std::string& text, std::string_view name, std::string_view string) {
  if (string.empty()) return;
  text += name;
  append_json_string(text, string);
}

void append_raw_member(std::string& text, std::string_view name, std::string_view raw) {
  if (raw.empty()) return;
  text += name;
  text += raw;
}

void append_time_member(std::string& text, std::optional<auth::WallTime> expires_at) {
  if (!expires_at) return;
  append_raw_member(
      text, R"(,"expires_at":)"sv,
      std::to_string(
          std::chrono::floor<std::chrono::seconds>(expires_at->time_since_epoch()).count()));
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

std::string refreshed_answer(std::optional<auth::WallTime> expires_at, std::string_view id_raw) {
  std::string text = R"({"type":"refreshed")";
  append_time_member(text, expires_at);
  append_raw_member(text, R"(,"id":)"sv, id_raw);
  text += '}';
  return text;
}

std::string authenticated_answer(std::string_view subject,
                                 std::optional<auth::WallTime> expires_at) {
  std::string text = R"({"type":"authenticated")";
  append_string_member(text, R"(,"subject":)"sv, subject);
  append_time_member(text, expires_at);
  text += '}';
  return text;
}

std::string expiring_answer(std::chrono::seconds left) {
  std::string text = R"({"type":"expiring")";
  append_raw_member(text, R"(,"expires_in":)"sv, std::to_string(left.count()));
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

std::string leave_message(std::string_view room) {
  std::string text = R"({"type":"leave")";
  append_string_member(text, R"(,"room":)"sv, room);
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
