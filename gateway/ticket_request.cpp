#include "gateway/ticket_request.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <jansson.h>

#include "auth/grant.h"
#include "auth/json.h"
#include "auth/single_use.h"
#include "gateway/json_body.h"
#include "gateway/request_fields.h"
#include "gateway/wall_time.h"
#include "proxy/handshake.h"
#include "proxy/random.h"

namespace gateway {

namespace {

constexpr int method_not_allowed = 405;

// Of a subject on a route. A page asks for one each time that it connects; who collects them would
// have all of them kept.
constexpr auth::RateLimit tickets_of_subject{2, 32};

// How long a browser need not ask again whether it may ask.
constexpr std::string_view preflight_good_for = "600";

// None: it is not {"path":"…"}.
std::optional<std::string> read_path(std::string_view body) {
  const auto object = auth::parse_json_object(body);
  if (!object || json_object_size(object->get()) != 1) return std::nullopt;
  const json_t* path = json_object_get(object->get(), "path");
  if (!json_is_string(path)) return std::nullopt;
  return std::string(auth::string_of(path));
}

bool gives_tickets(const Route& route) {
  return std::ranges::any_of(route.places, [](const auth::CredentialPlace& place) {
    return place.kind == auth::CredentialPlace::Kind::Ticket;
  });
}

bool is_for_host(const Route& route, const std::optional<std::string>& host) {
  return route.hosts.empty() ||
         (host && std::ranges::find(route.hosts, *host) != route.hosts.end());
}

// The one Origin of a request, where `route` names it. Empty: none.
std::string allowed_origin(const Route& route, const proxy::Fields& fields) {
  if (fields.count("Origin") != 1 || !route.origins) return {};
  const auto& origin = *fields.find("Origin");
  return auth::origin_allowed(*route.origins, origin) ? std::string(origin) : std::string();
}

std::string make_ticket() {
  auth::TicketBits bits;
  // One that can be guessed is worse than none, and so is an instance that makes such.
  if (!proxy::fill_random(bits)) std::abort();
  return auth::write_ticket(bits);
}

}  // namespace

TicketRequest::TicketRequest(Host& host, OwnCall call)
    : OwnResource(host, std::move(call)),
      body_octets_(json_body_octets(call_.head, own_body_octets_max)) {}

// In the order of a handshake's questions (CONTRACT section 3).
std::optional<OwnAnswer> TicketRequest::ask(Observer& observer) {
  observer_ = &observer;
  const auto* host = call_.head.fields.find("Host");
  if (!host) return no(Refusal::Malformed);  // HTTP/1.0
  host_field_ = *host;
  fields_ = views_of(call_.head.fields);
  if (call_.head.method == "OPTIONS") return answer_preflight();
  if (call_.head.method != "POST") return no(Refusal::Malformed, {}, method_not_allowed);
  if (!body_octets_) return no(Refusal::Malformed, {}, body_octets_.error());
  auto path = read_path(call_.body);
  if (!path) return no(Refusal::Malformed);
  asked_target_ = *std::move(path);
  auto target = proxy::parse_target(asked_target_);
  if (!target || target->has_query) return no(Refusal::AmbiguousPath);
  target_ = std::move(*target);
  call_.path = target_.path;
  match_ = find_route(*call_.policy, host_field_, target_.path);
  if (!match_.route || !gives_tickets(*match_.route)) return no(Refusal::NoRoute);
  call_.identity.route = match_.route;
  origin_ = allowed_origin(*match_.route, call_.head.fields);
  if (auto refused = check_sender()) return refused;
  return judge();
}

// Which route it will be for is in a body that is not here yet: any that gives tickets to a page of
// that origin will do. What is said to the request itself is that route's own.
OwnAnswer TicketRequest::answer_preflight() {
  const auto host = normalize_host(host_field_);
  std::set<std::string_view> names{"content-type"};
  for (const auto& route : call_.policy->routes) {
    if (!gives_tickets(route) || !is_for_host(route, host)) continue;
    const auto origin = allowed_origin(route, call_.head.fields);
    if (origin.empty()) continue;
    origin_ = origin;
    for (const auto& place : route.places) {
      if (place.kind == auth::CredentialPlace::Kind::Header) names.insert(place.name);
    }
  }
  if (origin_.empty()) return no(Refusal::OriginForbidden, "origin_not_allowed");
  auto fields = cors_fields();
  fields.push_back({"Access-Control-Allow-Methods", "POST"});
  const auto list = fmt::format("{}", fmt::join(names, ", "));
  fields.push_back({"Access-Control-Allow-Headers", list});
  fields.push_back({"Access-Control-Max-Age", preflight_good_for});
  return {204, proxy::write_response(204, fields)};
}

// Of the address, and of the page; and what the request says of who asks.
std::optional<OwnAnswer> TicketRequest::check_sender() {
  const auto wait = take_handshake(*match_.route);
  if (wait > wait.zero()) return no(Refusal::HandshakeRate, {}, 0, wait);
  const auto query = call_.head.target.find('?');
  const HandshakeRequest request{
      host_field_, target_.path,
      query == std::string_view::npos ? std::string_view() : call_.head.target.substr(query + 1),
      fields_};
  credential_ = find_credential(*match_.route, request);
  const auto origin = check_origin(*match_.route, request, credential_);
  if (!origin) return no(origin.error());
  return std::nullopt;
}

std::optional<OwnAnswer> TicketRequest::judge() {
  const auto now = wall_time(host_.timers().now());
  const auto& revocations = host_.revocations();
  auto principal = authenticate(*match_.route, credential_, host_.key_ring().known(), now);
  if (!principal) return wait_or_deny(principal.error());
  principal_ = std::move(*principal);
  call_.identity.subject = principal_->subject;
  if (!revocations.loaded()) return no(Refusal::RevocationsNotLoaded);
  if (revocations.meets(principal_->subject, revocations.mark_of(*principal_), now)) {
    return no(Refusal::Revoked);
  }
  const auto allowed = check_allow(*match_.route, *principal_, match_.captures);
  if (!allowed) return no(allowed.error());
  authenticator_ = find_authenticator(*match_.route, principal_->authenticator);
  if (!authenticator_ || !authenticator_->ticket_lifetime) {
    return no(Denied::because(Denial::NoTicketPlace));
  }
  if (auto refused = check_rate()) return refused;
  principal_->single_use ? use_token(now) : keep(now);
  return std::nullopt;
}

std::optional<OwnAnswer> TicketRequest::check_rate() {
  const auto wait = host_.ledger().take_ticket_request(
      match_.route->id, principal_->subject, tickets_of_subject, host_.timers().now().monotonic);
  if (wait == wait.zero()) return std::nullopt;
  record_limit(AuditedLimit::SubjectTickets);
  return no(Refusal::SubjectTickets, {}, 0, wait);
}

std::optional<OwnAnswer> TicketRequest::wait_or_deny(const Denied& denied) {
  // Its cookie opens connections itself, and only while it is known that the login goes on.
  if (denied.denial == Denial::SessionStoreAway) return no(Denied::because(Denial::NoTicketPlace));
  if (!denied.key_may_have_come || !host_.key_ring().wait_for(*denied.authenticator, *this)) {
    return no(denied);
  }
  denied_ = denied;
  return std::nullopt;
}

void TicketRequest::on_keys() {
  if (auto answer = judge()) observer_->on_answer(std::move(*answer));
}

// The one connection that the token opens is the ticket's.
void TicketRequest::use_token(auth::WallTime now) {
  Depositing::Asker& asker = *this;
  question_ = host_.depositing().mark_token(asker, *principal_, now);
}

// No longer than the token is good.
void TicketRequest::keep(auth::WallTime now) {
  ticket_ = make_ticket();
  lifetime_ = std::clamp(*principal_->good_until - now, std::chrono::milliseconds(1),
                         *authenticator_->ticket_lifetime);
  Depositing::Asker& asker = *this;
  question_ = host_.depositing().keep_ticket(
      asker, auth::name_of_ticket(ticket_),
      auth::write_grant({match_.route->key, target_.path, *principal_}), lifetime_, now);
}

void TicketRequest::on_deposit(DepositAnswer answer) {
  using Outcome = DepositAnswer::Outcome;
  switch (answer.outcome) {
    case Outcome::Done:
      if (ticket_.empty()) return keep(wall_time(host_.timers().now()));
      return observer_->on_answer(give());
    case Outcome::NotDone:  // two tickets are never the same one: then nobody kept it
      return observer_->on_answer(ticket_.empty() ? no(Denied::because(Denial::TokenUsed))
                                                  : no(Refusal::DepositsAway));
    case Outcome::Away:
      return observer_->on_answer(no(Refusal::DepositsAway));
    case Outcome::Full:
      return observer_->on_answer(no(Refusal::DepositsFull));
  }
}

OwnAnswer TicketRequest::give_up() {
  stop_waiting();
  const auto asked = std::move(question_);
  return asked ? no(Refusal::DepositsAway) : no(*denied_);
}

OwnAnswer TicketRequest::give() {
  constexpr int created = 201;
  host_.refusals().ticket_made(call_.identity.audited(), principal_->authenticator,
                               host_.timers().now().monotonic);
  const auto json = fmt::format(R"({{"ticket":"{}","expires_in":{}}})", ticket_,
                                std::chrono::floor<std::chrono::seconds>(lifetime_).count());
  return {created, proxy::write_response(created, cors_fields(), {"application/json", json})};
}

OwnAnswer TicketRequest::no(const Denied& denied) const {
  return no(refusal_of(denied.denial), denied.reason());
}

OwnAnswer TicketRequest::no(Refusal refusal, std::string_view reason, int status,
                            std::chrono::milliseconds retry_after) const {
  auto fields = cors_fields();
  if (status == method_not_allowed) fields.push_back({"Allow", "POST, OPTIONS"});
  return refused(refusal, reason, status, retry_after, fields);
}

// To a page of an origin that the route does not name a browser shows nothing of the answer.
std::vector<proxy::Field> TicketRequest::cors_fields() const {
  std::vector<proxy::Field> fields{{"Cache-Control", "no-store"}, {"Vary", "Origin"}};
  if (!origin_.empty()) {
    fields.push_back({"Access-Control-Allow-Origin", origin_});
    fields.push_back({"Access-Control-Allow-Credentials", "true"});
  }
  return fields;
}

}  // namespace gateway
