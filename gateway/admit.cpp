#include "gateway/admit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "auth/algorithm.h"
#include "auth/ascii.h"
#include "auth/grant.h"
#include "auth/session_cookie.h"
#include "auth/subject.h"
#include "gateway/random_text.h"

namespace gateway {

namespace {

// RFC 6455 section 10.2; the values of all Origin fields. A browser sends one.
std::vector<std::string_view> origins_of(const HandshakeRequest& request) {
  std::vector<std::string_view> origins;
  for (const auth::Field& field : request.fields) {
    if (auth::equals_ignoring_case(field.name, "Origin")) origins.push_back(field.value);
  }
  return origins;
}

bool in_cookie(const FoundCredential& credential) {
  return credential && credential->kind == auth::CredentialPlace::Kind::Cookie;
}

const Authenticator* anonymous_of(const Route& route) {
  auto found = std::find_if(route.authenticate.begin(), route.authenticate.end(),
                            [](const auto& each) { return each->anonymous(); });
  return found == route.authenticate.end() ? nullptr : found->get();
}

auth::Principal make_guest(const Authenticator& authenticator) {
  const auto random = random_hexadecimal<32>();  // 128 bits: no two guests are the same one
  auth::Principal guest;
  guest.subject.assign(auth::anonymous_subject_prefix).append(random.data(), random.size());
  guest.authenticator = authenticator.name;
  return guest;
}

Denied token_refused(const Route& route, const Authenticator* authenticator,
                     auth::TokenError error) {
  Denied result =
      Denied::because(Denial::TokenRefused, authenticator ? authenticator->line : route.line);
  result.token_error = error;
  result.authenticator = authenticator;
  return result;
}

Denied session_refused(const Authenticator& authenticator, auth::SessionError error) {
  Denied result = Denied::because(Denial::SessionRefused, authenticator.line);
  result.session_error = error;
  result.authenticator = &authenticator;
  return result;
}

// Signed by a key that is not among these, and may be where keys are fetched? No secret ever is.
// Where neither names one (RFC 7515 section 4.1.4), a signature that does not verify says the same.
bool key_is_unknown(const auth::ParsedToken& token, auth::TokenError error,
                    const auth::KeySet& keys) {
  if (error != auth::TokenError::UnknownKey && error != auth::TokenError::BadSignature)
    return false;
  const auto algorithm = auth::parse_algorithm(token.algorithm);
  return algorithm && !auth::hmac_algorithms.contains(*algorithm) &&
         !keys.names(*algorithm, token.key_id);
}

Denied token_refused_by(const Route& route, const Authenticator& authenticator,
                        const auth::ParsedToken& token, auth::TokenError error,
                        const KnownKeys& keys) {
  Denied result = token_refused(route, &authenticator, error);
  if (authenticator.key_locations.empty() ||
      !key_is_unknown(token, error, keys.keys_of(authenticator))) {
    return result;
  }
  result.key_may_have_come = keys.complete(authenticator);
  if (!result.key_may_have_come) {
    result.denial = Denial::KeysMissing;
    result.token_error.reset();
  }
  return result;
}

std::expected<auth::Principal, Denied> authenticate_nobody(const Route& route,
                                                           auth::CredentialsError error) {
  switch (error) {
    case auth::CredentialsError::Missing:
      // Whether every place is empty is not known before the first message, so nobody is a guest.
      if (const Authenticator* anonymous = anonymous_of(route); anonymous && !route.first_message) {
        return make_guest(*anonymous);
      }
      return std::unexpected(Denied::because(Denial::CredentialMissing, route.line));
    // A credential that is bad never becomes a guest.
    case auth::CredentialsError::Ambiguous:
      return std::unexpected(Denied::because(Denial::CredentialAmbiguous, route.line));
    case auth::CredentialsError::Malformed:
      break;
  }
  return std::unexpected(Denied::because(Denial::CredentialMalformed, route.line));
}

std::string_view name_of(Denial denial) {
  switch (denial) {
    case Denial::NoRoute:
      return "no_route";
    case Denial::OriginMissing:
      return "origin_missing";
    case Denial::OriginNotAllowed:
      return "origin_not_allowed";
    case Denial::CredentialMissing:
      return "credential_missing";
    case Denial::CredentialAmbiguous:
      return "credential_ambiguous";
    case Denial::CredentialMalformed:
      return "credential_malformed";
    case Denial::TokenRefused:
      return "token_refused";
    case Denial::TokenUsed:
      return "token_used";
    case Denial::TicketUnknown:
      return "ticket_unknown";
    case Denial::TicketElsewhere:
      return "ticket_elsewhere";
    case Denial::NoTicketPlace:
      return "no_ticket_place";
    case Denial::KeysMissing:
      return "keys_missing";
    case Denial::SessionRefused:
      return "session_refused";
    case Denial::SessionStoreAway:
      return "session_store_away";
    case Denial::NotAllowed:
      return "not_allowed";
    case Denial::Revoked:
      return "revoked";
    case Denial::PrincipalChanged:
      return "principal_changed";
  }
  return "";
}

bool looks_at(const Authenticator& authenticator, const auth::CredentialPlace& place) {
  return std::ranges::find(authenticator.places, place) != authenticator.places.end();
}

bool is_for(const Authenticator& authenticator, std::string_view issuer) {
  if (!authenticator.verifier) return false;
  const auto& wanted = authenticator.verifier->rules().issuer;
  return !wanted || *wanted == issuer;
}

// Of those that `may_read` says, the first that names the issuer, else the first for any; null:
// none.
template <typename MayRead>
const Authenticator* choose(const Route& route, std::string_view issuer, MayRead may_read) {
  const Authenticator* for_any = nullptr;
  for (const auto& each : route.authenticate) {
    if (!may_read(*each) || !is_for(*each, issuer)) continue;
    if (each->verifier->rules().issuer) return each.get();
    if (!for_any) for_any = each.get();
  }
  return for_any;
}

std::expected<auth::Principal, Denied> verify(const Route& route, const Authenticator* chosen,
                                              const auth::ParsedToken& token, const KnownKeys& keys,
                                              auth::WallTime now) {
  if (!chosen) {
    return std::unexpected(token_refused(route, nullptr, auth::TokenError::UnknownIssuer));
  }
  auto principal = chosen->verifier->verify(token, keys.keys_of(*chosen), now);
  if (!principal) {
    return std::unexpected(token_refused_by(route, *chosen, token, principal.error(), keys));
  }
  return std::move(*principal);
}

// Null: it holds a token. No two read one place where one of them reads sessions.
const Authenticator* session_reader(const Route& route, const auth::CredentialPlace& place) {
  const auto found = std::ranges::find_if(route.authenticate, [&](const auto& each) {
    return each->session && looks_at(*each, place);
  });
  return found == route.authenticate.end() ? nullptr : found->get();
}

Denied name_session(const Authenticator& authenticator, std::string_view cookie) {
  const auto& session = *authenticator.session;
  for (std::size_t i = 0; i < session.secrets.size(); ++i) {
    auto id = auth::session_id(cookie, session.secrets[i]);
    if (!id) continue;
    Denied result = Denied::because(Denial::SessionStoreAway, authenticator.line);
    result.authenticator = &authenticator;
    result.session_id = *std::move(id);
    result.session_key = session.keys[i];
    return result;
  }
  return session_refused(authenticator, auth::SessionError::NotSigned);
}

}  // namespace

std::string_view Denied::reason() const {
  if (token_error) return auth::name_of(*token_error);
  return session_error ? auth::name_of(*session_error) : name_of(denial);
}

FoundCredential find_credential(const Route& route, const HandshakeRequest& request) {
  return auth::find_credential({request.fields, request.query}, route.places);
}

auth::Credential in_first_message(const Route& route, std::string_view token) {
  constexpr auto kind = auth::CredentialPlace::Kind::FirstMessage;
  const auto place = std::ranges::find(route.places, kind, &auth::CredentialPlace::kind);
  return {kind, static_cast<std::size_t>(place - route.places.begin()), std::string(token)};
}

Asked asked_of(const HandshakeRequest& request, const FoundCredential& credential) {
  Asked asked;
  if (request.host.size() <= Asked::host_octets_max) asked.host = request.host;
  asked.path = request.path;
  asked.by_cookie = in_cookie(credential);
  const auto origins = origins_of(request);
  if (origins.empty()) return asked;
  const bool one = origins.size() == 1 && origins.front().size() <= Asked::origin_octets_max;
  asked.origin = one ? origins.front() : "null";
  return asked;
}

std::expected<void, Denied> check_origin(const Route& route, const HandshakeRequest& request,
                                         const FoundCredential& credential) {
  if (!route.origins) {
    return {};
  }
  const auto origins = origins_of(request);
  if (origins.empty()) {
    // Who is no browser sends none. A cookie without one is a browser that hides where it is.
    if (in_cookie(credential)) {
      return std::unexpected(Denied::because(Denial::OriginMissing, route.origins_line));
    }
    return {};
  }
  if (origins.size() > 1 || !auth::origin_allowed(*route.origins, origins.front())) {
    return std::unexpected(Denied::because(Denial::OriginNotAllowed, route.origins_line));
  }
  return {};
}

const Authenticator* authenticator_for(const Route& route, const auth::CredentialPlace& place,
                                       std::string_view issuer) {
  return choose(route, issuer, [&](const Authenticator& each) { return looks_at(each, place); });
}

std::expected<auth::Principal, Denied> authenticate(const Route& route,
                                                    const FoundCredential& credential,
                                                    const KnownKeys& keys, auth::WallTime now) {
  if (!credential) {
    return authenticate_nobody(route, credential.error());
  }
  if (credential->kind == auth::CredentialPlace::Kind::Ticket) {
    return std::unexpected(Denied::because(Denial::TicketUnknown, route.line));
  }
  const auto& place = route.places[credential->place];
  if (const auto* authenticator = session_reader(route, place)) {
    return std::unexpected(name_session(*authenticator, credential->value));
  }
  auto token = auth::parse_token(credential->value);
  if (!token) {
    return std::unexpected(token_refused(route, nullptr, token.error()));
  }
  return verify(route, authenticator_for(route, place, token->issuer), *token, keys, now);
}

std::expected<auth::Principal, Denied> authenticate_session(const Denied& asked,
                                                            const SessionStore::Answer& answer,
                                                            auth::WallTime now) {
  const Authenticator& authenticator = *asked.authenticator;
  switch (answer.kind) {
    case SessionStore::Answer::Kind::Away:
      return std::unexpected(asked);
    case SessionStore::Answer::Kind::Missing:
      return std::unexpected(session_refused(authenticator, auth::SessionError::Missing));
    case SessionStore::Answer::Kind::Found:
      break;
  }
  auto principal =
      auth::read_session(answer.record, answer.time_to_live, authenticator.session->rules, now);
  if (!principal) return std::unexpected(session_refused(authenticator, principal.error()));
  principal->key = asked.session_key;
  return *std::move(principal);
}

std::expected<auth::Principal, Denied> authenticate_again(const Route& route, const Bearer& bearer,
                                                          std::string_view text,
                                                          const KnownKeys& keys,
                                                          auth::WallTime now) {
  auto token = auth::parse_token(text);
  if (!token) {
    return std::unexpected(token_refused(route, nullptr, token.error()));
  }
  const auto* own = bearer.authenticator;
  if (own && own->session) {
    return std::unexpected(token_refused(route, own, auth::TokenError::UnknownIssuer));
  }
  const bool stays = own && is_for(*own, token->issuer);
  auto principal =
      verify(route,
             stays ? own
                   : choose(route, token->issuer,
                            [](const Authenticator& each) { return each.verifier != nullptr; }),
             *token, keys, now);
  if (principal && (principal->subject != bearer.subject || principal->issuer != bearer.issuer)) {
    return std::unexpected(Denied::because(Denial::PrincipalChanged, route.line));
  }
  return principal;
}

// Whoever can write to Redis can write a grant: it says no more than a token could.
std::expected<auth::Principal, Denied> redeem(const Route& route, std::string_view path,
                                              std::string_view text, auth::WallTime now) {
  auto grant = auth::read_grant(text);
  if (!grant) {
    return std::unexpected(Denied::because(Denial::TicketUnknown, route.line));
  }
  auto& principal = grant->principal;
  const auto* authenticator = find_authenticator(route, principal.authenticator);
  const bool here = grant->route == route.key && grant->path == path && authenticator &&
                    authenticator->ticket_lifetime;
  if (!here) {
    return std::unexpected(Denied::because(Denial::TicketElsewhere, route.line));
  }
  // The policy may be another one since the ticket was made.
  const auto& verifier = *authenticator->verifier;
  const bool still = principal.subject.starts_with(authenticator->subject_prefix) &&
                     (principal.key == 0 || verifier.keys().owns(principal.key));
  if (!still) {
    return std::unexpected(Denied::because(Denial::TicketElsewhere, authenticator->line));
  }
  const auto& rules = verifier.rules();
  const bool good = now < *principal.good_until &&
                    *principal.good_until - now <= rules.max_lifetime + rules.leeway &&
                    is_for(*authenticator, principal.issuer);
  if (!good) {
    return std::unexpected(Denied::because(Denial::TicketUnknown, authenticator->line));
  }
  return std::move(principal);
}

std::expected<void, Denied> check_allow(const Route& route, const auth::Principal& principal,
                                        auth::Captures captures) {
  if (auth::holds(route.allow, principal, captures)) {
    return {};
  }
  Denied result = Denied::because(Denial::NotAllowed, route.allow.line);
  result.condition = auth::deciding(route.allow, principal, captures);
  if (result.condition->line != 0) {
    result.line = result.condition->line;
  }
  return std::unexpected(result);
}

std::expected<Admitted, Denied> decide(const Policy& policy, const HandshakeRequest& request,
                                       const KnownKeys& keys, auth::WallTime now) {
  RouteMatch match = find_route(policy, request.host, request.path);
  if (!match.route) {
    return std::unexpected(Denied::because(Denial::NoRoute, 0));
  }
  const FoundCredential credential = find_credential(*match.route, request);
  if (auto origin = check_origin(*match.route, request, credential); !origin) {
    return std::unexpected(origin.error());
  }
  auto principal = authenticate(*match.route, credential, keys, now);
  if (!principal) {
    return std::unexpected(principal.error());
  }
  if (auto allowed = check_allow(*match.route, *principal, match.captures); !allowed) {
    return std::unexpected(allowed.error());
  }
  return Admitted{std::move(match), std::move(*principal)};
}

}  // namespace gateway
