// Which check of a token failed, and on what: for an operator who has the token in his hands. Never
// for a client.
#pragma once

#include <string>
#include <string_view>

#include "auth/principal.h"
#include "auth/token.h"
#include "gateway/policy.h"

namespace gateway {

// "expired: 'exp' was 2026-11-22T20:00:00Z". `authenticator`: who refused it; null: nobody was
// found. Of the token it shows names and times, never its text.
std::string describe_token_fault(auth::TokenError error, std::string_view token,
                                 const Authenticator* authenticator, auth::WallTime now);

// "plan is \"free\"", "plan is not there".
std::string describe_claim(const auth::Principal& principal, const std::string& name);

std::string show_time(auth::WallTime time);  // RFC 3339, in UTC

}  // namespace gateway
