// What the application has stored of a login session, as express-session writes it: one JSON
// object, with `cookie.expires` and whatever the application keeps of its user.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/principal.h"

namespace auth {

inline constexpr std::size_t session_record_octets_max = 64 * 1024;

struct SessionClaim {
  std::string name;     // as conditions call it
  std::string pointer;  // where it is in the record (RFC 6901)
};

struct SessionRules {
  std::string authenticator;  // its name in the policy
  std::string subject_prefix;
  std::string subject;  // a JSON Pointer to a string or an integer
  std::vector<SessionClaim> claims;
};

enum class SessionError : std::uint8_t {
  NotSigned,       // the cookie names no session that one of the secrets signed
  Missing,         // the store has no record of it: it was ended, or has run out
  Malformed,       // not one JSON object, too long, or `cookie.expires` is no time
  Ended,           // cookie.expires
  WithoutSubject,  // nobody has logged in; or what is there may not be a subject
};
inline constexpr auto last_session_error = SessionError::WithoutSubject;

// For logs and the audit trail: lower case with underscores.
std::string_view name_of(SessionError error);

// `time_to_live`: how long the store keeps the record from now on; none: for ever.
//
// The principal is good until `cookie.expires`, for ever where there is none. But a session with
// `cookie.originalMaxAge` is prolonged at each request of its browser, and of that express-session
// stores nothing but the record's time to live (Store.touch): where that is one that it may have
// given, it is the end. A claim that is not in the record is not there.
std::expected<Principal, SessionError> read_session(
    std::string_view record, std::optional<std::chrono::milliseconds> time_to_live,
    const SessionRules& rules, WallTime now);

}  // namespace auth
