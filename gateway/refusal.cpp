#include "gateway/refusal.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <vector>

namespace gateway {

namespace {

constexpr std::array<RefusalRow, 39> refusals{{
    {400, "malformed_request"},
    {400, "ambiguous_path"},
    {400, "upgrade_with_body"},
    {431, "head_too_large"},
    {408, "head_too_slow"},
    {503, "draining"},
    {503, "full"},
    {503, "revocations_not_loaded"},
    {503, "policy_changed"},
    {503, "crowded"},
    {404, "no_route"},
    {429, "ip_handshakes"},
    {426, "not_websocket"},
    {426, "wrong_version"},
    {400, "bad_key"},
    {400, "bad_subprotocols"},
    {403, "origin_forbidden"},
    {401, "unauthorized"},
    {401, "revoked"},
    {408, "first_message_too_slow"},
    {503, "keys_missing"},
    {503, "session_store_away"},
    {503, "single_use_unknown"},
    {503, "single_use_full"},
    {403, "forbidden"},
    {429, "ip_connections"},
    {429, "subject_connections"},
    {429, "subject_tickets"},
    {502, "backend_unreachable"},
    {502, "backend_insecure"},
    {502, "backend_wrong"},
    {504, "backend_too_slow"},
    {502, "backend_refused"},
    {0, "client_left"},
    {0, "tls_failed"},
    {0, "tls_too_slow"},
    {0, "bad_proxy_header"},
    {0, "proxy_header_too_slow"},
    {0, "untrusted_proxy"},
}};
static_assert(refusals.size() == static_cast<std::size_t>(Refusal::UntrustedProxy) + 1);

constexpr std::array<GoodbyeRow, 17> goodbyes{{
    {close_unauthorized, "token ended", "token_ended"},
    {close_unauthorized, "session ended", "session_ended"},
    {close_unauthorized, "another subject or issuer", "principal_changed"},
    {close_forbidden, "no longer allowed", "not_allowed"},
    {proxy::StatusCode::PolicyViolation, "limit exceeded", "limit_exceeded"},
    {proxy::StatusCode::ServiceRestart, "draining", "draining"},
    {proxy::StatusCode::PolicyViolation, "too many errors", "too_many_errors"},
    {proxy::StatusCode::PolicyViolation, "not allowed", "message_denied"},
    {proxy::StatusCode::TryAgainLater, "overloaded", "overloaded"},
    {close_unauthorized, "logged out", "logged_out"},
    {close_unauthorized, "login session not known", "session_store_away"},
    {close_revoked, "revoked", "revoked"},
    {close_forbidden, "no longer served", "route_gone"},
    {close_forbidden, "origin no longer allowed", "origin_forbidden"},
    {close_unauthorized, "credential no longer accepted", "authenticator_gone"},
    {close_unauthorized, "key no longer accepted", "key_gone"},
    {proxy::StatusCode::ServiceRestart, "policy changed", "policy_changed"},
}};
static_assert(goodbyes.size() == static_cast<std::size_t>(Goodbye::PolicyChanged) + 1);

// Those whose reason is always a better one: which check of the credential, the Origin or `allow`.
bool has_better_reason(Refusal refusal) {
  return refusal == Refusal::OriginForbidden || refusal == Refusal::Unauthorized ||
         refusal == Refusal::Forbidden;
}

std::vector<std::string_view> list_refusal_reasons() {
  std::vector<std::string_view> reasons;
  for (std::size_t i = 0; i < refusals.size(); ++i) {
    if (!has_better_reason(static_cast<Refusal>(i))) reasons.push_back(refusals[i].name);
  }
  for (std::size_t i = 0; i <= static_cast<std::size_t>(last_denial); ++i) {
    const auto denied = Denied::because(static_cast<Denial>(i));
    const bool by_check =
        denied.denial == Denial::TokenRefused || denied.denial == Denial::SessionRefused;
    if (has_better_reason(refusal_of(denied.denial)) && !by_check) {
      reasons.push_back(denied.reason());
    }
  }
  for (std::size_t i = 0; i <= static_cast<std::size_t>(auth::last_session_error); ++i) {
    reasons.push_back(auth::name_of(static_cast<auth::SessionError>(i)));
  }
  for (std::size_t i = 0; i <= static_cast<std::size_t>(auth::last_token_error); ++i) {
    reasons.push_back(auth::name_of(static_cast<auth::TokenError>(i)));
  }
  // Of a client that has its 101 and is no session yet.
  using proxy::Ending;
  using proxy::StatusCode;
  for (const auto& ending :
       {Ending{Ending::Cause::ProtocolError, {StatusCode::ProtocolError, {}}},
        Ending{Ending::Cause::ProtocolError, {StatusCode::InvalidPayload, {}}},
        Ending{Ending::Cause::ProtocolError, {StatusCode::MessageTooBig, {}}},
        Ending{Ending::Cause::ProtocolError, {StatusCode::PolicyViolation, {}}},
        Ending{Ending::Cause::NoPong, {}}, Ending{Ending::Cause::Stalled, {}}}) {
    reasons.push_back(name_of(ending, proxy::Relay::Side::Client));
  }
  return reasons;
}

}  // namespace

std::span<const std::string_view> refusal_reasons() {
  static const auto reasons = list_refusal_reasons();
  return reasons;
}

const RefusalRow& row_of(Refusal refusal) { return refusals[static_cast<std::size_t>(refusal)]; }

// CONTRACT section 3: "as close codes"; the others stay HTTP.
std::optional<proxy::StatusCode> close_code_of(int status, Refusal refusal) {
  if (refusal == Refusal::Draining || refusal == Refusal::PolicyChanged) {
    return proxy::StatusCode::ServiceRestart;
  }
  if (refusal == Refusal::FirstMessageTooSlow) return close_too_slow;
  switch (status) {
    case 401:
      return close_unauthorized;
    case 403:
      return close_forbidden;
    case 429:
      return close_too_many;
    case 502:
    case 504:
      return proxy::StatusCode::BadGateway;
    case 503:
      return proxy::StatusCode::TryAgainLater;
    default:
      break;
  }
  if (refusal == Refusal::BackendRefused) return proxy::StatusCode::BadGateway;
  return std::nullopt;
}

const GoodbyeRow& row_of(Goodbye goodbye) { return goodbyes[static_cast<std::size_t>(goodbye)]; }

proxy::Verdict verdict_of(Goodbye goodbye) {
  const auto& row = row_of(goodbye);
  return {proxy::Verdict::Kind::Close, {}, row.code, row.reason};
}

std::string_view name_of(const proxy::Close& refused) {
  auto row = std::ranges::find(goodbyes, refused.reason, &GoodbyeRow::reason);
  assert(row != goodbyes.end());
  return row->name;
}

std::string_view name_of(const proxy::Ending& ending, proxy::Relay::Side side) {
  bool client = side == proxy::Relay::Side::Client;
  switch (ending.cause) {
    case proxy::Ending::Cause::Closed:
      return client ? "client_closed" : "backend_closed";
    case proxy::Ending::Cause::Vanished:
      return client ? "client_vanished" : "backend_gone";
    case proxy::Ending::Cause::NoPong:
      return client ? "client_no_pong" : "backend_no_pong";
    case proxy::Ending::Cause::Stalled:
      return client ? "client_stalled" : "backend_stalled";
    case proxy::Ending::Cause::Refused:
      return name_of(ending.close);
    case proxy::Ending::Cause::ProtocolError:
      break;
  }
  switch (ending.close.code) {
    case proxy::StatusCode::InvalidPayload:
      return client ? "invalid_utf8" : "backend_invalid_utf8";
    case proxy::StatusCode::MessageTooBig:
      return "message_too_big";
    case proxy::StatusCode::PolicyViolation:
      return "too_many_frames";
    default:
      return client ? "protocol_error" : "backend_protocol_error";
  }
}

Refusal refusal_of(proxy::HttpError error) {
  switch (error) {
    case proxy::HttpError::Malformed:
      return Refusal::Malformed;
    case proxy::HttpError::FieldsTooLarge:
      return Refusal::HeadTooLarge;
  }
  std::unreachable();
}

Refusal refusal_of(proxy::UpgradeError error) {
  switch (error) {
    case proxy::UpgradeError::NotWebSocket:
      return Refusal::NotWebSocket;
    case proxy::UpgradeError::WrongVersion:
      return Refusal::WrongVersion;
    case proxy::UpgradeError::BadKey:
      return Refusal::BadKey;
  }
  std::unreachable();
}

Refusal refusal_of(Denial denial) {
  switch (denial) {
    case Denial::NoRoute:
      return Refusal::NoRoute;
    case Denial::OriginMissing:
    case Denial::OriginNotAllowed:
      return Refusal::OriginForbidden;
    case Denial::CredentialMissing:
    case Denial::CredentialAmbiguous:
    case Denial::CredentialMalformed:
    case Denial::TokenRefused:
    case Denial::SessionRefused:
    case Denial::TokenUsed:
    case Denial::TicketUnknown:
    case Denial::TicketElsewhere:
    case Denial::PrincipalChanged:
      return Refusal::Unauthorized;
    case Denial::Revoked:
      return Refusal::Revoked;
    case Denial::KeysMissing:
      return Refusal::KeysMissing;
    case Denial::SessionStoreAway:
      return Refusal::SessionStoreAway;
    case Denial::NoTicketPlace:
    case Denial::NotAllowed:
      return Refusal::Forbidden;
  }
  std::unreachable();
}

Refusal refusal_of(proxy::UpgradeFailure::Kind failure) {
  switch (failure) {
    case proxy::UpgradeFailure::Kind::Unreachable:
      return Refusal::BackendUnreachable;
    case proxy::UpgradeFailure::Kind::Insecure:
      return Refusal::BackendInsecure;
    case proxy::UpgradeFailure::Kind::Wrong:
      return Refusal::BackendWrong;
    case proxy::UpgradeFailure::Kind::TooSlow:
      return Refusal::BackendTooSlow;
    case proxy::UpgradeFailure::Kind::Refused:
      return Refusal::BackendRefused;
  }
  std::unreachable();
}

std::string write_answer(int status, std::chrono::milliseconds retry_after,
                         std::span<const proxy::Field> more) {
  std::vector<proxy::Field> fields(more.begin(), more.end());
  std::string seconds_text;
  // RFC 6750 section 3.1. The same for every reason: which check it was is for the log.
  if (status == 401) fields.push_back({"WWW-Authenticate", "Bearer error=\"invalid_token\""});
  if (status == 429 || status == 503) {
    // RFC 9110 section 10.2.3: whole seconds; none at all would invite the client at once.
    auto seconds =
        std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(retry_after).count());
    seconds_text = std::to_string(seconds);
    fields.push_back({"Retry-After", seconds_text});
  }
  return proxy::write_response(status, fields);
}

}  // namespace gateway
