// May this opening handshake pass? The decisions of admission that need no counting: route, Origin,
// credential, `allow`. Values in, values out, so that `explain` and the server give one answer.
//
// One function a step, in the order in which the first failure answers; what stands between them
// (the address's handshake rate, the upgrade fields) is the caller's. decide() is all of them.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "auth/condition.h"
#include "auth/credentials.h"
#include "auth/principal.h"
#include "auth/session_record.h"
#include "auth/token.h"
#include "gateway/asked.h"
#include "gateway/known_keys.h"
#include "gateway/policy.h"
#include "gateway/session_store.h"

namespace gateway {

// Views into the request.
struct HandshakeRequest {
  std::string_view host;   // the Host field's value
  std::string_view path;   // decoded once: proxy::Target::path
  std::string_view query;  // as it came, without '?'
  std::span<const auth::Field> fields;
};

enum class Denial : std::uint8_t {
  NoRoute,              // 404
  OriginMissing,        // 403: the credential is in a cookie
  OriginNotAllowed,     // 403
  CredentialMissing,    // 401
  CredentialAmbiguous,  // 401: the same place twice
  CredentialMalformed,  // 401: another scheme than Bearer
  TokenRefused,         // 401: token_error says which check
  TokenUsed,            // 401: its jti has opened a connection already
  TicketUnknown,        // 401: used, ended, or never made
  TicketElsewhere,      // 401: made for another path, or by who is not of the route any more
  KeysMissing,          // 503: a key that may have signed it was never fetched, or too long ago
  SessionRefused,       // 401: session_error says why
  SessionStoreAway,     // 503: only its store can tell of a session
  NoTicketPlace,        // 403: who reads this credential gives no tickets
  NotAllowed,           // 403: `allow`
  PrincipalChanged,     // 401: a refresh as another subject, or by another issuer
  Revoked,              // a refresh with a token that is
};
inline constexpr auto last_denial = Denial::NotAllowed;  // of a handshake

struct Denied {
  Denial denial = Denial::NotAllowed;
  std::optional<auth::TokenError> token_error;      // of TokenRefused
  std::optional<auth::SessionError> session_error;  // of SessionRefused
  const Authenticator* authenticator =
      nullptr;                    // which one refused the token or session, where one was chosen
  std::string session_id;         // of SessionStoreAway: signed by the application, to be asked for
  std::uint64_t session_key = 0;  // of the same: fingerprint of the secret that signed it
  bool key_may_have_come = false;  // of TokenRefused: its key may be where the others come from
  const auth::Condition* condition = nullptr;  // of NotAllowed: the innermost that decided
  int line = 0;                                // where the policy says so; 0: nowhere

  // For the audit log: lower case with underscores, a token's failed check by its own name.
  std::string_view reason() const;

  // With nothing more to say of it.
  static Denied because(Denial denial, int line = 0) {
    Denied denied;
    denied.denial = denial;
    denied.line = line;
    return denied;
  }
};

using FoundCredential = std::expected<auth::Credential, auth::CredentialsError>;

// What the first place of the route holds; nothing is verified yet.
FoundCredential find_credential(const Route& route, const HandshakeRequest& request);

// What a first message holds, on a route that may wait for one.
auth::Credential in_first_message(const Route& route, std::string_view token);

// What of a request is kept for when another policy comes into force.
Asked asked_of(const HandshakeRequest& request, const FoundCredential& credential);

// Origin comes before the credential, but whether it may be missing depends on where that one is.
std::expected<void, Denied> check_origin(const Route& route, const HandshakeRequest& request,
                                         const FoundCredential& credential);

// Of the authenticators that look where the credential was, the token's `iss` chooses one. Nothing
// found anywhere makes an anonymous principal where the route has one. What a session's cookie
// names is denied with Denial::SessionStoreAway, since nobody is asked here; and a ticket is known
// to nobody here: redeem() is for that.
std::expected<auth::Principal, Denied> authenticate(const Route& route,
                                                    const FoundCredential& credential,
                                                    const KnownKeys& keys, auth::WallTime now);

// The same once the store has been asked for the session that `asked`, of Denial::SessionStoreAway,
// names.
std::expected<auth::Principal, Denied> authenticate_session(const Denied& asked,
                                                            const SessionStore::Answer& answer,
                                                            auth::WallTime now);

// What stays the same about a connection, whatever is refreshed on it.
struct Bearer {
  std::string_view subject;
  std::string_view issuer;
  const Authenticator* authenticator = nullptr;  // that vouches for it
};

// A token that is to take the place of the bearer's (CONTRACT section 4, `refresh`). Who vouches
// for the bearer reads it where it is for the token's issuer, else whoever of the route is. Of a
// login session there is no other: its store says what becomes of it.
std::expected<auth::Principal, Denied> authenticate_again(const Route& route, const Bearer& bearer,
                                                          std::string_view token,
                                                          const KnownKeys& keys,
                                                          auth::WallTime now);

// Whose a ticket is that was made for this route and path. `grant`: what was kept under its name.
std::expected<auth::Principal, Denied> redeem(const Route& route, std::string_view path,
                                              std::string_view grant, auth::WallTime now);

std::expected<void, Denied> check_allow(const Route& route, const auth::Principal& principal,
                                        auth::Captures captures);

struct Admitted {
  RouteMatch match;
  auth::Principal principal;
};
std::expected<Admitted, Denied> decide(const Policy& policy, const HandshakeRequest& request,
                                       const KnownKeys& keys, auth::WallTime now);

// Of the route's authenticators that look at `place`, the one for this issuer: the first that names
// it, else the first for any issuer; null: none.
const Authenticator* authenticator_for(const Route& route, const auth::CredentialPlace& place,
                                       std::string_view issuer);

}  // namespace gateway
