// Revocation: tokens that are good by all that they say, and are refused from now on. Of a subject,
// those issued up to a time; or the one of an id.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/principal.h"

namespace auth {

inline constexpr std::size_t token_id_octets_max = 256;

// May this be a revoked jti? 1 to 256 octets of UTF-8 without control characters.
bool valid_token_id(std::string_view token_id);

// Of two kinds: `issued_before` is there, and `name` is a subject with its prefix; or it is not,
// and `name` is a token's id.
struct Revocation {
  std::string name;
  // It meets what was issued at or before it, in the same millisecond too, and what does not say
  // when it was: without an iat nothing shows that somebody logged in again.
  std::optional<WallTime> issued_before;
  WallTime until{};  // nothing that it meets is good any more from here on

  bool of_subject() const { return issued_before.has_value(); }
  bool operator==(const Revocation&) const = default;
};

// How far the clocks of the instances may be apart before one forgets what another still needs.
inline constexpr std::chrono::milliseconds clocks_apart_max{60'000};

// `longest`: how long a token that is good now may stay so (max_lifetime and leeway).
Revocation revoke_subject(std::string_view subject, WallTime issued_before, WallTime now,
                          std::chrono::milliseconds longest);
Revocation revoke_token(std::string_view token_id, WallTime now, std::chrono::milliseconds longest);

// Of one kind and name: what meets all that either does, for as long as either does.
Revocation merged(const Revocation& a, const Revocation& b);

// As JSON, in exactly one form for each:
//   {"type":"revoke","subject":"alice","issued_before_ms":1790000000000,"until_ms":1790086490000}
//   {"type":"revoke","token_id":"5f0c…","until_ms":1790086490000}
// Times are milliseconds since the epoch.
inline constexpr std::size_t revocation_text_octets_max = 2 * 1024;
std::string write_revocation(const Revocation& revocation);

// None: it is not what write_revocation() writes.
std::optional<Revocation> read_revocation(std::string_view text);

}  // namespace auth
