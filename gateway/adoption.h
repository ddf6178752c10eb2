// What becomes of an open connection when another policy comes into force (CONTRACT section 5).
// Values in, values out.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "auth/condition.h"
#include "auth/principal.h"
#include "gateway/asked.h"
#include "gateway/policy.h"
#include "gateway/refusal.h"

namespace gateway {

// How a connection stands by the policy so far. Views of what it keeps.
struct Standing {
  const Asked& asked;
  const Route& route;
  const Authenticator* authenticator = nullptr;  // that vouches for it; null: none of the route's
  std::uint64_t key = 0;                         // auth::Principal::key
  std::string_view subject;
  std::string_view claims;                    // JSON; empty: there are none
  const auth::Claims* claims_read = nullptr;  // the same; null: nobody has
};

// Of its principal as much as an answer depends on.
auth::Principal principal_of(const Standing& standing, auth::LooksAt needed);

// Where it stands by the policy that comes into force. Views of `asked` and the policy.
struct Adopted {
  RouteMatch match;
  const Authenticator* authenticator = nullptr;
};

// Or why it is closed, the first of these:
//   RouteGone, OriginForbidden      by the host, the path and the Origin that it asked with
//   AuthenticatorGone               it left the route, or makes other subjects
//   KeyGone                         the `secret`, `pem_file` or `jwks_file` key is gone
//   NotAllowed                      `allow`
//   PolicyChanged                   it may come back: what it speaks, or to whom, is another thing
std::expected<Adopted, Goodbye> adopt(const Policy& policy, const Standing& standing);

// What came of it for the sessions of a worker, or of all.
struct AdoptionTally {
  std::uint64_t asked = 0;       // that were open
  std::uint64_t closed = 0;      // of them
  std::uint64_t rooms_left = 0;  // by the others

  AdoptionTally& operator+=(const AdoptionTally& more) {
    asked += more.asked;
    closed += more.closed;
    rooms_left += more.rooms_left;
    return *this;
  }
};

}  // namespace gateway
