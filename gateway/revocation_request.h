// What POST /v1/revocations is asked (CONTRACT section 6): {"subject":…}, with or without
// "issued_before", or {"token_id":…}.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "auth/principal.h"

namespace gateway {

// Clocks differ; whoever means milliseconds, or another century, is wrong.
inline constexpr std::chrono::hours issued_before_ahead_max{24};

struct RevocationRequest {
  bool of_subject;
  std::string name;                             // the subject with its prefix, or the token's id
  std::optional<auth::WallTime> issued_before;  // none: now
};

// The error says what is wrong, and nothing of what was sent.
std::expected<RevocationRequest, std::string_view> read_revocation_request(std::string_view json,
                                                                           auth::WallTime now);

}  // namespace gateway
