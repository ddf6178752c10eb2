#include "gateway/admission.h"

#include <utility>
#include <vector>

#include "gateway/admit.h"
#include "gateway/random_text.h"
#include "gateway/subprotocol.h"
#include "proxy/forwarded.h"
#include "proxy/handshake.h"
#include "proxy/target.h"

namespace gateway {

namespace {

// A client waits for its 101 before it sends frames (RFC 6455 section 4.1). One that does not is
// heard up to here; the rest waits in the kernel.
constexpr std::size_t early_octets_max = 16 * 1024;

// How long, and how much, a refused client is listened to, so that it reads the answer.
constexpr std::chrono::seconds linger_max{2};
constexpr std::size_t linger_octets_max = 256 * 1024;

auth::WallTime wall_time(const proxy::Timers& timers) {
  return std::chrono::floor<std::chrono::milliseconds>(timers.now().wall);
}

std::vector<auth::Field> views_of(const proxy::Fields& fields) {
  std::vector<auth::Field> views;
  views.reserve(fields.size());
  for (const auto& field : fields) views.push_back({field.name, field.value});
  return views;
}

bool trusted(const Policy& policy, const proxy::IpAddress& peer) {
  for (const auto& block : policy.trusted_proxies) {
    if (block.contains(peer)) return true;
  }
  return false;
}

}  // namespace

Admission::Admission(Host& host, std::unique_ptr<proxy::Transport> transport,
                     const proxy::IpAddress& peer, Ledger::Connection connection)
    : host_(host),
      policy_(host.policy()),
      peer_trusted_(trusted(*policy_, peer)),
      counted_(static_cast<bool>(connection)),
      transport_(std::move(transport)),
      parser_(proxy::HeadParser::Kind::Request),
      deadline_(host.loop().timers(), [this] { on_deadline(); }) {
  identity_.id = random_hexadecimal<16>();
  identity_.address = peer;
  holdings_.connection = std::move(connection);
  transport_->observe(*this);
  transport_->set_reading(true);
  deadline_.arm(policy_->handshake_timeout);
}

void Admission::on_octets(std::string_view octets) {
  switch (state_) {
    case State::Reading:
      anything_received_ = true;
      switch (parser_.receive(octets)) {
        case proxy::HeadParser::State::NeedsMore:
          return;
        case proxy::HeadParser::State::Failed:
          return refuse(refusal_of(parser_.error()));
        case proxy::HeadParser::State::Complete:
          break;
      }
      early_octets_ = octets;
      return on_head();
    case State::Counting:
    case State::Dialling:
      early_octets_ += octets;
      if (early_octets_.size() > early_octets_max) transport_->set_reading(false);
      return;
    case State::Answered:
      dropped_octets_ += octets.size();
      if (dropped_octets_ > linger_octets_max) finish();
      return;
    case State::Done:
      return;
  }
}

// The first failure answers (CONTRACT section 3).
void Admission::on_head() {
  head_at_ = now();
  auto head = parser_.take_request();
  identity_.address =
      proxy::client_address(identity_.address, head.fields, policy_->trusted_proxies);
  RouteMatch match;
  if (form_is_good(head) && has_room() && finds_route(head, match) && within_handshake_rate() &&
      asks_for_websocket(head) && knows_client(head, match) && within_connection_counts()) {
    proceed(std::move(head));
  }
}

bool Admission::form_is_good(const proxy::RequestHead& head) {
  target_text_ = head.target;
  auto target = proxy::parse_target(target_text_);
  if (!target) return refuse(Refusal::AmbiguousPath), false;
  target_ = std::move(*target);
  // A body would be read as frames by one side and as a body by the other.
  if (head.has_body && head.fields.find("Upgrade")) {
    return refuse(Refusal::UpgradeWithBody), false;
  }
  return true;
}

bool Admission::has_room() {
  if (host_.draining()) return refuse(Refusal::Draining), false;
  if (!counted()) return refuse(Refusal::Full), false;
  if (!host_.revocations().loaded()) return refuse(Refusal::RevocationsNotLoaded), false;
  return true;
}

bool Admission::finds_route(const proxy::RequestHead& head, RouteMatch& match) {
  match = find_route(*policy_, *head.fields.find("Host"), target_.path);
  identity_.route = match.route;
  if (!match.route) return refuse(Refusal::NoRoute), false;
  return true;
}

bool Admission::within_handshake_rate() {
  const auto& limit = identity_.route->ip_limits.handshakes;
  if (!limit.limited()) return true;
  auto wait =
      host_.ledger().take_handshake(identity_.route->index, identity_.address, limit, now());
  if (wait == wait.zero()) return true;
  record_limit(AuditedLimit::IpHandshakes);
  return refuse(Refusal::HandshakeRate, {}, 0, wait), false;
}

bool Admission::asks_for_websocket(const proxy::RequestHead& head) {
  auto key = proxy::check_upgrade(head);
  if (!key) return refuse(refusal_of(key.error())), false;
  key_ = std::move(*key);
  if (!auth::parse_subprotocols(views_of(head.fields))) {
    return refuse(Refusal::BadSubprotocols), false;
  }
  return true;
}

bool Admission::knows_client(const proxy::RequestHead& head, const RouteMatch& match) {
  const auto& route = *identity_.route;
  auto fields = views_of(head.fields);
  HandshakeRequest request{*head.fields.find("Host"), target_.path, target_.raw_query, fields};
  auto credential = find_credential(route, request);
  if (auto origin = check_origin(route, request, credential); !origin) {
    return deny(origin.error()), false;
  }
  auto principal = authenticate(route, credential, wall_time(host_.loop().timers()));
  if (!principal) return deny(principal.error()), false;
  principal_ = std::move(*principal);
  identity_.subject = principal_.subject;
  mark_ = host_.revocations().mark_of(principal_);
  if (revoked()) return refuse(Refusal::Revoked), false;
  if (auto allowed = check_allow(route, principal_, match.captures); !allowed) {
    return deny(allowed.error()), false;
  }
  return true;
}

bool Admission::revoked() {
  return host_.revocations().meets(principal_.subject, mark_, wall_time(host_.loop().timers()));
}

bool Admission::within_connection_counts() {
  const auto& route = *identity_.route;
  auto of_address =
      host_.ledger().count_address(route.index, identity_.address, route.ip_limits.connections_max);
  if (!of_address) return exceed(Refusal::AddressConnections, AuditedLimit::IpConnections), false;
  holdings_.of_address = std::move(*of_address);
  auto of_subject = host_.ledger().count_subject(route.index, principal_.subject,
                                                 route.subject_limits.connections_max);
  if (!of_subject) {
    return exceed(Refusal::SubjectConnections, AuditedLimit::SubjectConnections), false;
  }
  holdings_.of_subject = std::move(*of_subject);
  return true;
}

void Admission::exceed(Refusal refusal, AuditedLimit limit) {
  record_limit(limit);
  refuse(refusal);
}

// What this instance counts has room. Where all of them count together, they are asked.
void Admission::proceed(proxy::RequestHead head) {
  const auto& route = *identity_.route;
  const auto& limits = route.subject_limits;
  if (limits.scope == Scope::Instance || limits.connections_max == 0) return open(head);
  state_ = State::Counting;
  head_ = std::make_unique<proxy::RequestHead>(std::move(head));
  Counting::Asker& asker = *this;
  holdings_.of_subject_everywhere = host_.counting().count(
      asker, shared_key(route.key, principal_.subject), limits.connections_max);
}

// As with a server's answer, it may come in the iteration in which the client's end did.
void Admission::on_counted(bool within) {
  if (state_ != State::Counting) return;
  if (!within) return exceed(Refusal::SubjectConnections, AuditedLimit::SubjectConnections);
  open(*head_);
}

void Admission::open(const proxy::RequestHead& head) {
  identity_.route->backend ? dial(head) : serve(head);
}

void Admission::dial(const proxy::RequestHead& head) {
  const auto& backend = *identity_.route->backend;
  auto request = make_backend_request(head, target_, *identity_.route, principal_,
                                      {identity_.id_text(), identity_.address, peer_trusted_});
  if (request.claims_octets_left_out > 0) {
    host_.audit().claims_left_out(identity_.audited(), request.claims_octets_left_out);
  }
  state_ = State::Dialling;
  proxy::BackendHandshake::Observer& observer = *this;
  backend_ = std::make_unique<proxy::BackendHandshake>(host_.loop(), host_.servers_of(backend),
                                                       backend.connect_timeout,
                                                       std::move(request.upgrade), observer);
}

// A handshake that was retired lives on to the end of the iteration, and its server's answer may
// come in the same one as the client's end or the deadline did: it comes too late.
void Admission::on_upgraded(proxy::Upgraded upgraded) {
  if (state_ != State::Dialling) return;
  admit(identity_.route->backend->servers[upgraded.server].text, upgraded.subprotocol,
        std::move(upgraded.transport), std::move(upgraded.early_octets));
}

// Where there is no backend to ask.
void Admission::serve(const proxy::RequestHead& head) {
  admit({}, select_subprotocol(head.fields, *identity_.route), nullptr, {});
}

void Admission::admit(std::string_view server, std::string_view subprotocol,
                      std::unique_ptr<proxy::Transport> backend, std::string early_from_backend) {
  // A backend may have taken its time. From here on there is a session, which can be closed.
  if (revoked()) {
    host_.loop().retire(std::move(backend));
    return refuse(Refusal::Revoked);
  }
  deadline_.disarm();
  host_.audit().connection_opened(
      {identity_.audited(), principal_.authenticator, server, subprotocol, host_.worker_index()});
  host_.counters().answered(101);
  host_.counters().handshakes.observe(now() - head_at_);
  holdings_.connection.established();
  transport_->write(proxy::write_switching_protocols(key_, subprotocol));
  state_ = State::Done;
  host_.on_admitted({policy_, std::move(identity_), std::move(holdings_), std::move(principal_),
                     mark_, target_.path, std::move(transport_), std::move(backend),
                     std::move(early_octets_), std::move(early_from_backend)});
  host_.retire(*this);
}

void Admission::on_upgrade_failed(const proxy::UpgradeFailure& why) {
  if (state_ != State::Dialling) return;
  failed_server_ = identity_.route->backend->servers[why.server].text;
  refuse(refusal_of(why.kind), {}, why.status);
}

void Admission::on_deadline() {
  switch (state_) {
    case State::Reading:
      return refuse(Refusal::HeadTooSlow);
    case State::Counting:
    case State::Dialling:
      return refuse(Refusal::BackendTooSlow);
    case State::Answered:
      return finish();
    case State::Done:
      return;
  }
}

void Admission::on_gone(proxy::TransportError) {
  // One that said nothing, such as a load balancer's check of the port, is not worth a line.
  bool said_something = anything_received_ && state_ != State::Answered;
  if (said_something) record_refusal(0, row_of(Refusal::ClientLeft).name);
  finish();
}

void Admission::drain() {
  if (state_ == State::Reading || state_ == State::Counting) refuse(Refusal::Draining);
}

void Admission::give_way() {
  if (state_ < State::Answered) refuse(Refusal::Crowded);
  finish();
}

void Admission::deny(const Denied& denied) { refuse(refusal_of(denied.denial), denied.reason()); }

void Admission::refuse(Refusal refusal, std::string_view reason, int status,
                       std::chrono::milliseconds retry_after) {
  const auto& row = row_of(refusal);
  if (status == 0) status = row.http_status;
  record_refusal(status, reason.empty() ? row.name : reason);
  host_.loop().retire(std::move(backend_));
  holdings_.of_address = {};
  holdings_.of_subject = {};
  holdings_.of_subject_everywhere.reset();
  state_ = State::Answered;
  transport_->set_reading(true);
  transport_->write(write_answer(status, retry_after));
  transport_->finish();
  deadline_.arm(linger_max);
}

void Admission::record_refusal(int status, std::string_view reason) {
  host_.counters().answered(status);
  host_.counters().refusals.add(reason);
  host_.refusals().refused({identity_.audited(), reason, status, target_.path, failed_server_},
                           now());
}

void Admission::record_limit(AuditedLimit limit) {
  host_.counters().limit_hit(limit, LimitAction::Refuse);
  host_.refusals().limit_hit({identity_.audited(), limit, LimitAction::Refuse, 0}, now());
}

void Admission::finish() {
  if (std::exchange(state_, State::Done) == State::Done) return;
  deadline_.disarm();
  host_.loop().retire(std::move(backend_));
  host_.retire(*this);
}

}  // namespace gateway
