#include "gateway/adoption.h"

#include <algorithm>
#include <utility>

#include "gateway/admit.h"

namespace gateway {

namespace {

bool origin_fits(const Route& route, const Asked& asked) {
  if (!route.origins) return true;
  if (!asked.origin) return !asked.by_cookie;
  return auth::origin_allowed(*route.origins, *asked.origin);
}

// The one of the same name; null: there is none, or it calls others what this one is called, or it
// reads another kind of credential.
const Authenticator* find_again(const Route& route, const Authenticator* before) {
  if (!before) return nullptr;
  const auto* found = find_authenticator(route, before->name);
  const bool same = found && !found->session == !before->session &&
                    !found->verifier == !before->verifier &&
                    found->subject_prefix == before->subject_prefix;
  return same ? found : nullptr;
}

bool has_key(const Authenticator& authenticator, std::uint64_t key) {
  if (authenticator.session) {
    const auto& keys = authenticator.session->keys;
    return std::ranges::find(keys, key) != keys.end();
  }
  return authenticator.verifier && authenticator.verifier->keys().owns(key);
}

enum class Speech : std::uint8_t { Opaque, Rooms, Json };

Speech speech_of(const Route& route) {
  if (!route.rooms) return Speech::Opaque;
  return route.rooms->json ? Speech::Json : Speech::Rooms;
}

std::string_view backend_of(const Route& route) {
  return route.backend ? std::string_view(route.backend->name) : std::string_view();
}

bool goes_on(const Route& before, const Route& now) {
  if (speech_of(before) != speech_of(now) || backend_of(before) != backend_of(now)) return false;
  return !now.rooms || before.rooms->space == now.rooms->space;
}

}  // namespace

auth::Principal principal_of(const Standing& standing, auth::LooksAt needed) {
  auth::Principal principal;
  if (needed >= auth::LooksAt::Subject) principal.subject = standing.subject;
  if (needed >= auth::LooksAt::Claims) {
    principal.claims =
        standing.claims_read ? *standing.claims_read : auth::read_claims(standing.claims);
  }
  return principal;
}

std::expected<Adopted, Goodbye> adopt(const Policy& policy, const Standing& standing) {
  Adopted adopted;
  adopted.match = find_route(policy, standing.asked.host, standing.asked.path);
  if (!adopted.match.route) return std::unexpected(Goodbye::RouteGone);
  const Route& route = *adopted.match.route;
  if (!origin_fits(route, standing.asked)) return std::unexpected(Goodbye::OriginForbidden);
  adopted.authenticator = find_again(route, standing.authenticator);
  if (!adopted.authenticator) return std::unexpected(Goodbye::AuthenticatorGone);
  if (standing.key != 0 && !has_key(*adopted.authenticator, standing.key)) {
    return std::unexpected(Goodbye::KeyGone);
  }
  const auto principal = principal_of(standing, auth::looks_at(route.allow));
  if (!check_allow(route, principal, adopted.match.captures)) {
    return std::unexpected(Goodbye::NotAllowed);
  }
  if (!goes_on(standing.route, route)) return std::unexpected(Goodbye::PolicyChanged);
  return adopted;
}

}  // namespace gateway
