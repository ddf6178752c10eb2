// The JSON texts that the gateway itself says on a route with `messages: rooms` (CONTRACT
// section 4). Rooms, subjects and reasons are UTF-8 and are escaped here; raw JSON is taken as it
// is, from an Envelope.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/principal.h"

namespace gateway {

// An empty `id_raw`: the client sent none.
std::string joined_answer(std::string_view room, std::string_view id_raw);

// `reason`: empty where the client asked for it, else "policy" or "refresh".
std::string left_answer(std::string_view room, std::string_view id_raw, std::string_view reason);

// The token that was taken is good until then, told in whole seconds, a NumericDate (RFC 7519
// section 2); none: for ever.
std::string refreshed_answer(std::optional<auth::WallTime> expires_at, std::string_view id_raw);
std::string authenticated_answer(std::string_view subject,
                                 std::optional<auth::WallTime> expires_at);

// The token ends in so many seconds.
std::string expiring_answer(std::chrono::seconds left);

enum class RoomError : std::uint8_t {
  AccessDenied,
  RateLimited,
  NotAMember,
  BadMessage,
  TooManyRooms,
  Unavailable,
  InvalidToken,
};
inline constexpr auto last_room_error = RoomError::InvalidToken;

// Its `code`, and what the audit log calls it.
std::string_view name_of(RoomError error);

// Empty: it has no such member. `retry_after` is of RateLimited.
std::string error_answer(RoomError error, std::string_view room, std::string_view id_raw,
                         std::optional<std::chrono::milliseconds> retry_after);

// What a backend is told of a client that has lost a room, as if the client had left it.
std::string leave_message(std::string_view room);

// What the members of a room get. Empty: it has no such member.
std::string room_message(std::string_view room, std::string_view from,
                         std::string_view payload_raw);

}  // namespace gateway
