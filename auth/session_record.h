// What the application has stored of a login session, as express-session writes it: one JSON
// object, with `cookie.expires` and whatever the application keeps of its user.
#pragma once

#include <cstdint>
#include <expected>
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
  Malformed,   // not one JSON object, too long, or `cookie.expires` is no time
  Ended,       // cookie.expires
  BadSubject,  // not there: nobody has logged in; or nothing that may be a subject
};

// For logs and the audit trail: lower case with underscores.
std::string_view name_of(SessionError error);

// The principal is good until `cookie.expires`, for ever where there is none: how long the store
// keeps the record says the rest. A claim that is not in the record is not there.
std::expected<Principal, SessionError> read_session(std::string_view record,
                                                    const SessionRules& rules, WallTime now);

}  // namespace auth
