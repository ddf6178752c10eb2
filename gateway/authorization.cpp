#include "gateway/authorization.h"

#include <utility>

#include "gateway/identity_fields.h"
#include "gateway/named_request.h"
#include "gateway/request_fields.h"
#include "gateway/wall_time.h"
#include "proxy/handshake.h"

namespace gateway {

namespace {

constexpr int forbidden = 403;

OwnAnswer denied_answer(const Denied& denied) {
  return refused(refusal_of(denied.denial), denied.reason());
}

// A page that is loaded, and what it gets from where it is of, have no Origin. Who asked for it is
// in a field then that no page can set (Fetch Metadata): nobody but the user, or a page of the very
// host that it asks; which is to be an origin of the route.
bool asked_for_by_own_page(const Route& route, std::string_view host, const proxy::Fields& fields) {
  if (fields.count("Sec-Fetch-Site") != 1) return false;
  const auto site = *fields.find("Sec-Fetch-Site");
  if (site == "none") return true;
  // A browser says it over TLS alone, and on loopback.
  const auto allowed = [&](const char* scheme) {
    return auth::origin_allowed(*route.origins, scheme + std::string(host));
  };
  return site == "same-origin" && (allowed("https://") || allowed("http://"));
}

}  // namespace

// In the order of a handshake's questions (CONTRACT section 3).
std::optional<OwnAnswer> Authorization::ask(Observer& observer) {
  observer_ = &observer;
  if (!call_.peer_trusted || call_.head.method != "GET") return refused(Refusal::NoRoute);
  if (auto no = find_named_route()) return no;
  const auto wait = take_handshake(*match_.route);
  if (wait > wait.zero()) return refused(Refusal::HandshakeRate, {}, 0, wait);
  if (auto no = find_named_credential()) return no;
  return identify();
}

// A proxy knows 401 and 403, and takes all else for a fault of ours: what is wrong with the request
// that it names is none.
std::optional<OwnAnswer> Authorization::find_named_route() {
  const auto named = find_named_request(call_.head.fields);
  if (!named) return refused(Refusal::Malformed);
  host_of_named_ = named->host;
  auto target = proxy::parse_target(named->target);
  if (!target) return refused(Refusal::AmbiguousPath, {}, forbidden);
  target_ = std::move(*target);
  call_.path = target_.path;
  match_ = find_route(*call_.policy, host_of_named_, target_.path);
  if (!match_.route) return refused(Refusal::NoRoute, {}, forbidden);
  call_.identity.route = match_.route;
  return std::nullopt;
}

std::optional<OwnAnswer> Authorization::find_named_credential() {
  fields_ = views_of(call_.head.fields);
  const HandshakeRequest request{host_of_named_, target_.path, target_.raw_query, fields_};
  credential_ = find_credential(*match_.route, request);
  const auto origin = check_origin(*match_.route, request, credential_);
  if (origin) return std::nullopt;
  const bool missing = origin.error().denial == Denial::OriginMissing;
  if (missing && asked_for_by_own_page(*match_.route, host_of_named_, call_.head.fields)) {
    return std::nullopt;
  }
  return denied_answer(origin.error());
}

std::optional<OwnAnswer> Authorization::identify() {
  auto principal = authenticate(*match_.route, credential_, host_.key_ring().known(),
                                wall_time(host_.timers().now()));
  return principal ? judge(*std::move(principal)) : wait_or_deny(principal.error());
}

std::optional<OwnAnswer> Authorization::wait_or_deny(const Denied& denied) {
  bool waits = false;
  if (denied.denial == Denial::SessionStoreAway) {
    SessionStore::Asker& asker = *this;
    inquiry_ = host_.session_store(*denied.authenticator->session).ask(denied.session_id, asker);
    waits = inquiry_ != nullptr;
  } else {
    waits = denied.key_may_have_come && host_.key_ring().wait_for(*denied.authenticator, *this);
  }
  if (!waits) return denied_answer(denied);
  denied_ = denied;
  return std::nullopt;
}

void Authorization::on_keys() {
  if (auto answer = identify()) observer_->on_answer(std::move(*answer));
}

void Authorization::on_session(const SessionStore::Answer& answer) {
  inquiry_.reset();
  auto principal = authenticate_session(*denied_, answer, wall_time(host_.timers().now()));
  auto said = principal ? judge(*std::move(principal)) : denied_answer(principal.error());
  if (said) observer_->on_answer(std::move(*said));
}

std::optional<OwnAnswer> Authorization::judge(auth::Principal principal) {
  call_.identity.subject = principal.subject;
  if (auto no = revoked(principal)) return no;
  const auto allowed = check_allow(*match_.route, principal, match_.captures);
  if (!allowed) return denied_answer(allowed.error());
  if (!principal.single_use) return grant(principal);
  principal_ = std::move(principal);
  use_token(wall_time(host_.timers().now()));
  return std::nullopt;
}

std::optional<OwnAnswer> Authorization::revoked(const auth::Principal& principal) const {
  const auto& revocations = host_.revocations();
  if (!revocations.loaded()) return refused(Refusal::RevocationsNotLoaded);
  const auto mark = revocations.mark_of(principal);
  if (!revocations.meets(principal.subject, mark, wall_time(host_.timers().now())))
    return std::nullopt;
  return refused(Refusal::Revoked);
}

// What the proxy opens then is the one connection of the token.
void Authorization::use_token(auth::WallTime now) {
  Depositing::Asker& asker = *this;
  question_ = host_.depositing().mark_token(asker, *principal_, now);
}

void Authorization::on_deposit(DepositAnswer answer) {
  using Outcome = DepositAnswer::Outcome;
  switch (answer.outcome) {
    case Outcome::Done: {
      auto no = revoked(*principal_);  // meanwhile
      return observer_->on_answer(no ? *std::move(no) : grant(*principal_));
    }
    case Outcome::NotDone:
      return observer_->on_answer(denied_answer(Denied::because(Denial::TokenUsed)));
    case Outcome::Away:
      return observer_->on_answer(refused(Refusal::DepositsAway));
    case Outcome::Full:
      return observer_->on_answer(refused(Refusal::DepositsFull));
  }
}

OwnAnswer Authorization::give_up() {
  stop_waiting();
  inquiry_.reset();
  const auto asked = std::move(question_);
  return asked ? refused(Refusal::DepositsAway) : denied_answer(*denied_);
}

OwnAnswer Authorization::grant(const auth::Principal& principal) {
  constexpr int no_content = 204;
  const auto identity = identity_values(*match_.route, principal);
  std::vector<proxy::Field> fields{{"Cache-Control", "no-store"},
                                   {subject_field, identity.subject}};
  if (identity.claims_octets_left_out == 0) {
    fields.push_back({claims_field, identity.claims});
  } else {
    host_.refusals().claims_left_out(call_.identity.audited(), identity.claims_octets_left_out,
                                     host_.timers().now().monotonic);
  }
  return {no_content, proxy::write_response(no_content, fields)};
}

}  // namespace gateway
