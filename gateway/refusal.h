// Every way this program says no, and the one table of how it says it: the HTTP status before 101
// (RFC 9110 section 15), the status code after it (RFC 6455 section 7.4), and the name in the audit
// log. What a client reads is the same for every failed check of a credential.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/admit.h"
#include "proxy/backend.h"
#include "proxy/connection.h"
#include "proxy/handshake.h"
#include "proxy/http.h"
#include "proxy/relay.h"
#include "proxy/status_code.h"

namespace gateway {

// RFC 6455 section 7.4.2: 4000-4999 are ours to define.
inline constexpr auto close_unauthorized = static_cast<proxy::StatusCode>(4401);
inline constexpr auto close_forbidden = static_cast<proxy::StatusCode>(4403);
inline constexpr auto close_too_slow = static_cast<proxy::StatusCode>(4408);  // also: no pong
inline constexpr auto close_revoked = static_cast<proxy::StatusCode>(4410);
inline constexpr auto close_too_many = static_cast<proxy::StatusCode>(4429);

// Before 101.
enum class Refusal : std::uint8_t {
  Malformed,
  AmbiguousPath,
  UpgradeWithBody,
  HeadTooLarge,
  HeadTooSlow,
  Draining,
  Full,
  RevocationsNotLoaded,
  PolicyChanged,  // while a client with its 101 had not said who it is
  Crowded,        // the oldest of too many connections without a 101
  NoRoute,
  HandshakeRate,
  NotWebSocket,
  WrongVersion,
  BadKey,
  BadSubprotocols,
  OriginForbidden,
  Unauthorized,
  Revoked,
  FirstMessageTooSlow,
  KeysMissing,
  SessionStoreAway,
  DepositsAway,  // whether what serves once has served cannot be asked
  DepositsFull,
  Forbidden,
  AddressConnections,
  SubjectConnections,
  SubjectTickets,
  BackendUnreachable,
  BackendInsecure,  // its TLS handshake failed
  BackendWrong,
  BackendTooSlow,
  BackendRefused,  // answered with the backend's own status
  ClientLeft,      // before it was answered
  TlsFailed,       // this and all below: there is nobody to answer in HTTP yet
  TlsTooSlow,
  BadProxyHeader,
  ProxyHeaderTooSlow,
  UntrustedProxy,  // a listener of the PROXY protocol, and a peer that may not speak for others
};

struct RefusalRow {
  int http_status;        // 0: nothing is answered
  std::string_view name;  // in the audit log, unless a better reason is known
};
const RefusalRow& row_of(Refusal refusal);

// The same where the client has its 101 already, or gets it to be told (`refuse_with: close`).
// None: it stays HTTP. `status`: the row's, or a backend's own 4xx.
std::optional<proxy::StatusCode> close_code_of(int status, Refusal refusal);

// Every reason that the audit log may give for one, each once.
std::span<const std::string_view> refusal_reasons();

Refusal refusal_of(proxy::HttpError error);
Refusal refusal_of(proxy::UpgradeError error);
Refusal refusal_of(Denial denial);
Refusal refusal_of(proxy::UpgradeFailure::Kind failure);

// How long a client that was refused for a while is told to stay away, where nothing better is
// known.
inline constexpr std::chrono::seconds retry_after_default{5};

// The whole answer. `status`: the row's, or the backend's own. `retry_after` is used where the
// status is 429 or 503. `fields`: further ones.
std::string write_answer(int status, std::chrono::milliseconds retry_after = retry_after_default,
                         std::span<const proxy::Field> fields = {});

// After 101: what the gateway itself closes for.
enum class Goodbye : std::uint8_t {
  TokenEnded,
  SessionEnded,      // max_session, whatever was refreshed
  PrincipalChanged,  // a refresh as another subject, or by another issuer
  NotAllowed,        // `allow`, with other claims
  LimitExceeded,
  Draining,
  TooManyErrors,     // it was told no again and again, and goes on
  MessageDenied,     // `on_denied: close`
  Overloaded,        // more is published than can be delivered
  LoggedOut,         // its login session is over, or nobody's any more
  SessionStoreAway,  // nobody could say so of it for too long
  Revoked,           // somebody ended it by the admin API
  // Another policy is in force (CONTRACT section 5).
  RouteGone,
  OriginForbidden,
  AuthenticatorGone,
  KeyGone,
  PolicyChanged,  // nothing against it, but it has to begin anew
};

struct GoodbyeRow {
  proxy::StatusCode code;
  std::string_view reason;  // in the Close frame
  std::string_view name;    // in the audit log
};
const GoodbyeRow& row_of(Goodbye goodbye);

// How a side ended, in the audit log's words.
std::string_view name_of(const proxy::Ending& ending, proxy::Relay::Side side);

// The same as a verdict on a message, and what the audit log calls a Close that came of one.
proxy::Verdict verdict_of(Goodbye goodbye);
std::string_view name_of(const proxy::Close& refused);

}  // namespace gateway
