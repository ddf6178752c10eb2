#include "gateway/admission.h"

#include <algorithm>
#include <utility>

#include "auth/single_use.h"
#include "gateway/answers.h"
#include "gateway/linger.h"
#include "gateway/random_text.h"
#include "gateway/request_fields.h"
#include "gateway/subprotocol.h"
#include "gateway/wall_time.h"
#include "proxy/forwarded.h"
#include "proxy/handshake.h"
#include "proxy/target.h"

namespace gateway {

namespace {

// A client waits for its 101 before it sends frames (RFC 6455 section 4.1). One that does not is
// heard up to here; the rest waits in the kernel.
constexpr std::size_t early_octets_max = 16 * 1024;

bool trusted(const Policy& policy, const proxy::IpAddress& peer) {
  for (const auto& block : policy.trusted_proxies) {
    if (block.contains(peer)) return true;
  }
  return false;
}

}  // namespace

Admission::Admission(Host& host, const ListenSettings& listener,
                     std::unique_ptr<proxy::Transport> transport, const proxy::IpAddress& peer,
                     Ledger::Connection connection)
    : host_(host),
      served_(host.served()),
      secure_(listener.tls != nullptr),
      counted_(static_cast<bool>(connection)),
      parser_(proxy::HeadParser::Kind::Request, own_target),
      deadline_(host.loop().timers(), [this] { on_deadline(); }) {
  identity_.id = random_hexadecimal<16>();
  identity_.address = peer;
  holdings_.connection = std::move(connection);
  deadline_.arm(policy().handshake_timeout);
  arrive(listener, std::move(transport));
}

// --- before HTTP ---

void Admission::arrive(const ListenSettings& listener,
                       std::unique_ptr<proxy::Transport> transport) {
  if (listener.proxy_protocol && !trusted(policy(), identity_.address)) {
    deadline_.arm(proxy::Duration::zero());  // the host does not know it yet
  } else if (listener.proxy_protocol || listener.tls) {
    proxy::Preamble::Observer& observer = *this;
    preamble_ = std::make_unique<proxy::Preamble>(
        std::move(transport), listener.proxy_protocol, listener.tls,
        proxy::TlsRoom{host_.loop().timers(), host_.loop().plaintext_buffer()}, observer);
  } else {
    read_head(std::move(transport));
  }
}

void Admission::read_head(std::unique_ptr<proxy::Transport> transport) {
  state_ = State::Reading;
  transport_ = std::move(transport);
  transport_->observe(*this);
  transport_->set_reading(true);
}

// It may have had to give way in this iteration. Whom a load balancer speaks for is the peer from
// now on: its fields are believed if that one is trusted. Where it names nobody, the fields may be
// anybody's, and are not.
void Admission::on_preamble(std::unique_ptr<proxy::Transport> transport,
                            std::optional<proxy::IpAddress> client, std::string_view early) {
  if (state_ != State::Arriving) return;
  if (client) identity_.address = *client;
  nameless_ = !client && preamble_->proxied();
  host_.loop().retire(std::move(preamble_));
  read_head(std::move(transport));
  if (!early.empty()) on_octets(early);
}

void Admission::on_preamble_failed(const proxy::PreambleFailure& why) {
  if (state_ != State::Arriving) return;
  switch (why.kind) {
    case proxy::PreambleFailure::Kind::Left:
      return finish();
    case proxy::PreambleFailure::Kind::BadProxyHeader:
      return turn_away(Refusal::BadProxyHeader);
    case proxy::PreambleFailure::Kind::Tls:
      return turn_away(Refusal::TlsFailed, why.reason);
  }
}

Refusal Admission::too_slow_to_arrive() const {
  if (!preamble_) return Refusal::UntrustedProxy;
  const bool tls = preamble_->stage() == proxy::Preamble::Stage::Tls;
  return tls ? Refusal::TlsTooSlow : Refusal::ProxyHeaderTooSlow;
}

// There is nobody yet whom an answer would reach.
void Admission::turn_away(Refusal refusal, std::string_view detail) {
  detail_ = detail;
  record_refusal(0, row_of(refusal).name);
  finish();
}

// --- HTTP ---

void Admission::on_octets(std::string_view octets) {
  switch (state_) {
    case State::Arriving:  // preamble_ has them
      return;
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
    case State::Listening:
    case State::Heard:    // client_ has it
    case State::Serving:  // own_request_ has it
      return;
    case State::Waiting:
    case State::Asking:
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
  served_ = host_.served();  // from here on it is asked by this one
  peer_trusted_ = !nameless_ && trusted(policy(), identity_.address);
  head_at_ = now();
  head_ = parser_.take_request();
  fields_ = views_of(head_.fields);
  if (peer_trusted_) {
    identity_.address =
        proxy::client_address(identity_.address, head_.fields, policy().trusted_proxies);
  }
  if (!form_is_good() || !has_room()) return;
  if (target_.path.starts_with(own_path_prefix)) return serve();
  const bool may_say_who_it_is = finds_route() && within_handshake_rate() && asks_for_websocket() &&
                                 comes_from_allowed_origin();
  if (!may_say_who_it_is) return;
  const bool says_nothing = !credential_ && credential_.error() == auth::CredentialsError::Missing;
  if (says_nothing && identity_.route->first_message) {
    if (within_address_connections()) listen();
  } else {
    identify();
  }
}

// What is left of handshake_timeout is for all of it.
void Admission::serve() {
  const std::string_view target = head_.target;
  const auto make = find_own_resource(target.substr(0, target.find('?')));
  if (!make) return refuse(Refusal::NoRoute);
  state_ = State::Serving;
  OwnRequest::Observer& observer = *this;
  own_request_ = std::make_unique<OwnRequest>(
      host_, std::move(transport_),
      make(host_, {served_->policy, identity_, peer_trusted_, std::move(head_), target_.path, {}}),
      observer);
  own_request_->start(std::exchange(early_octets_, {}));
}

void Admission::identify() {
  if (has_ticket()) return take_ticket();
  const auto began = std::chrono::steady_clock::now();  // the loop's clock stands still meanwhile
  auto principal = authenticate(*identity_.route, credential_, host_.key_ring().known(),
                                wall_time(host_.loop().timers().now()));
  if (credential_) {
    host_.counters().verifications.observe(std::chrono::steady_clock::now() - began);
  }
  principal ? on_identified(*std::move(principal)) : wait_or_deny(principal.error());
}

void Admission::on_identified(auth::Principal principal) {
  principal_ = std::move(principal);
  identity_.subject = principal_.subject;
  mark_ = host_.revocations().mark_of(principal_);
  if (revoked()) return refuse(Refusal::Revoked);
  if (client_) return hear();
  if (is_allowed() && within_address_connections() && within_subject_connections()) proceed();
}

void Admission::wait_or_deny(const Denied& denied) {
  if (denied.denial == Denial::SessionStoreAway) return ask_for_session(denied);
  if (!denied.key_may_have_come || !host_.key_ring().wait_for(*denied.authenticator, *this)) {
    return deny(denied);
  }
  state_ = State::Waiting;
  denied_ = std::make_unique<const Denied>(denied);
}

void Admission::on_keys() {
  if (state_ == State::Waiting && follows_policy()) identify();
}

void Admission::ask_for_session(const Denied& denied) {
  SessionStore::Asker& asker = *this;
  auto& store = host_.session_store(*denied.authenticator->session);
  inquiry_ = store.ask(denied.session_id, asker);
  if (!inquiry_) return deny(denied);
  state_ = State::Asking;
  denied_ = std::make_unique<const Denied>(denied);
}

// As with a server's answer, it may come in the iteration in which the client's end did.
void Admission::on_session(const SessionStore::Answer& answer) {
  if (state_ != State::Asking) return;
  inquiry_.reset();
  auto principal = authenticate_session(*denied_, answer, wall_time(host_.loop().timers().now()));
  principal ? on_identified(*std::move(principal)) : deny(principal.error());
}

bool Admission::form_is_good() {
  target_text_ = head_.target;
  auto target = proxy::parse_target(target_text_);
  if (!target) return refuse(Refusal::AmbiguousPath), false;
  target_ = std::move(*target);
  // A body would be read as frames by one side and as a body by the other.
  if (head_.has_body && head_.fields.find("Upgrade")) {
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

bool Admission::finds_route() {
  match_ = find_route(policy(), *head_.fields.find("Host"), target_.path);
  identity_.route = match_.route;
  if (!match_.route) return refuse(Refusal::NoRoute), false;
  return true;
}

bool Admission::within_handshake_rate() {
  const auto& limit = identity_.route->ip_limits.handshakes;
  if (!limit.limited()) return true;
  auto wait = host_.ledger().take_handshake(identity_.route->id, identity_.address, limit, now());
  if (wait == wait.zero()) return true;
  record_limit(AuditedLimit::IpHandshakes);
  return refuse(Refusal::HandshakeRate, {}, 0, wait), false;
}

bool Admission::asks_for_websocket() {
  auto key = proxy::check_upgrade(head_);
  if (!key) return refuse(refusal_of(key.error())), false;
  key_ = std::move(*key);
  if (!auth::parse_subprotocols(fields_)) return refuse(Refusal::BadSubprotocols), false;
  return true;
}

// A client that had to wait before it could say who it is: the policy may be another one by now.
// False: it has been refused. Whoever has its 101 has been promised something by it, and comes
// again where that does not hold.
bool Admission::follows_policy() {
  const auto& served = host_.served();
  if (served_ == served) return true;
  auto match = find_route(*served->policy, *head_.fields.find("Host"), target_.path);
  if (accepted_ && !(match.route && match.route->first_message &&
                     select_subprotocol(head_.fields, *match.route) == subprotocol_)) {
    return refuse(Refusal::PolicyChanged), false;
  }
  served_ = served;
  match_ = std::move(match);
  identity_.route = match_.route;
  if (!match_.route) return refuse(Refusal::NoRoute), false;
  const auto said = std::move(credential_);
  if (!comes_from_allowed_origin()) return false;
  if (accepted_ && said) credential_ = in_first_message(*identity_.route, said->value);
  return true;
}

HandshakeRequest Admission::request() {
  return {*head_.fields.find("Host"), target_.path, target_.raw_query, fields_};
}

bool Admission::comes_from_allowed_origin() {
  credential_ = find_credential(*identity_.route, request());
  auto origin = check_origin(*identity_.route, request(), credential_);
  if (!origin) return deny(origin.error()), false;
  return true;
}

bool Admission::revoked() {
  return host_.revocations().meets(principal_.subject, mark_,
                                   wall_time(host_.loop().timers().now()));
}

bool Admission::is_allowed() {
  auto allowed = check_allow(*identity_.route, principal_, match_.captures);
  if (!allowed) return deny(allowed.error()), false;
  return true;
}

bool Admission::within_address_connections() {
  const auto& route = *identity_.route;
  auto count =
      host_.ledger().count_address(route.id, identity_.address, route.ip_limits.connections_max);
  if (!count) {
    return exceed(Refusal::AddressConnections, AuditedLimit::IpConnections), false;
  }
  holdings_.of_address = std::move(*count);
  return true;
}

bool Admission::within_subject_connections() {
  const auto& route = *identity_.route;
  auto count = host_.ledger().count_subject(route.id, principal_.subject,
                                            route.subject_limits.connections_max);
  if (!count) {
    return exceed(Refusal::SubjectConnections, AuditedLimit::SubjectConnections), false;
  }
  holdings_.of_subject = std::move(*count);
  return true;
}

void Admission::exceed(Refusal refusal, AuditedLimit limit) {
  record_limit(limit);
  refuse(refusal);
}

// --- a ticket ---

bool Admission::has_ticket() const {
  return credential_ && credential_->kind == auth::CredentialPlace::Kind::Ticket;
}

// It is used whatever comes of it: who has it is known only then.
void Admission::take_ticket() {
  if (!auth::valid_ticket(credential_->value)) return deny(Denied::because(Denial::TicketUnknown));
  state_ = State::Asking;
  Depositing::Asker& asker = *this;
  question_ = host_.depositing().take_ticket(asker, auth::name_of_ticket(credential_->value),
                                             wall_time(host_.loop().timers().now()));
}

void Admission::on_ticket(const DepositAnswer& answer) {
  if (answer.outcome == DepositAnswer::Outcome::NotDone) {
    return deny(Denied::because(Denial::TicketUnknown));
  }
  auto principal =
      redeem(*identity_.route, target_.path, answer.grant, wall_time(host_.loop().timers().now()));
  if (!principal) return deny(principal.error());
  on_identified(std::move(*principal));
}

// --- a client that has its 101 before the backend is asked ---

void Admission::accept() {
  accepted_ = true;
  subprotocol_ = select_subprotocol(head_.fields, *identity_.route);
  transport_->write(proxy::write_switching_protocols(key_, subprotocol_));
}

void Admission::listen() {
  accept();
  state_ = State::Listening;
  deadline_.arm(*identity_.route->first_message);
  AcceptedClient::Observer& observer = *this;
  client_ = std::make_unique<AcceptedClient>(std::move(transport_), true, host_.loop().timers(),
                                             host_.loop().flushes(), observer);
  client_->start(std::exchange(early_octets_, {}));
}

void Admission::on_first_message(const proxy::Message& message) {
  if (!follows_policy()) return;
  std::optional<std::string_view> token;
  if (message.opcode == proxy::Opcode::Text) token = host_.envelopes().read_auth(message.payload);
  credential_ = std::unexpected(auth::CredentialsError::Malformed);
  if (token) credential_ = in_first_message(*identity_.route, *token);
  deadline_.arm(policy().handshake_timeout);  // it was in time; its key may have to be looked for
  identify();
}

void Admission::hear() {
  client_->tell(authenticated_answer(principal_.subject, principal_.good_until));
  state_ = State::Heard;
  deadline_.arm(proxy::Duration::zero());
}

void Admission::on_heard() {
  head_at_ = now();
  if (!is_allowed() || !within_subject_connections()) return;
  auto released = std::exchange(client_, nullptr)->release();
  transport_ = std::move(released.transport);
  early_octets_ = std::move(released.unread);
  transport_->observe(*this);
  transport_->set_reading(early_octets_.size() <= early_octets_max);
  deadline_.arm(policy().handshake_timeout);
  proceed();
}

void Admission::on_client_ending(const proxy::Ending& ending) {
  if (state_ >= State::Answered) return;  // also of one that had to give way in this iteration
  const bool left = ending.cause == proxy::Ending::Cause::Closed ||
                    ending.cause == proxy::Ending::Cause::Vanished;
  if (left) {
    record_refusal(0, row_of(Refusal::ClientLeft).name);
  } else {
    const bool silent = ending.cause == proxy::Ending::Cause::NoPong ||
                        ending.cause == proxy::Ending::Cause::Stalled;
    record_refusal(row_of(silent ? Refusal::FirstMessageTooSlow : Refusal::Malformed).http_status,
                   name_of(ending, proxy::Relay::Side::Client),
                   static_cast<std::uint16_t>(ending.close.code));
  }
  deadline_.disarm();
  stop_waiting();
  holdings_.of_address = {};
  state_ = State::Answered;
}

// --- the backend ---

// What this instance counts has room. Where all of them count together, they are asked.
void Admission::proceed() {
  const auto& route = *identity_.route;
  const auto& limits = route.subject_limits;
  if (limits.scope == Scope::Instance || limits.connections_max == 0) return use_token();
  state_ = State::Counting;
  Counting::Asker& asker = *this;
  holdings_.of_subject_everywhere = host_.counting().count(
      asker, shared_key(route.key, principal_.subject), limits.connections_max);
}

// As with a server's answer, it may come in the iteration in which the client's end did.
void Admission::on_counted(bool within) {
  if (state_ != State::Counting) return;
  if (!within) return exceed(Refusal::SubjectConnections, AuditedLimit::SubjectConnections);
  use_token();
}

// Nothing but the backend can refuse it from here on: whoever is told to stay away for another
// reason has lost no token.
void Admission::use_token() {
  if (!principal_.single_use) return open();
  state_ = State::Asking;
  Depositing::Asker& asker = *this;
  question_ =
      host_.depositing().mark_token(asker, principal_, wall_time(host_.loop().timers().now()));
}

void Admission::on_deposit(DepositAnswer answer) {
  if (state_ != State::Asking) return;
  using Outcome = DepositAnswer::Outcome;
  if (answer.outcome == Outcome::Away) return refuse(Refusal::DepositsAway);
  if (answer.outcome == Outcome::Full) return refuse(Refusal::DepositsFull);
  if (has_ticket()) return on_ticket(answer);
  if (answer.outcome == Outcome::NotDone) return deny(Denied::because(Denial::TokenUsed));
  open();
}

void Admission::open() {
  if (identity_.route->refuse_with_close && !accepted_) accept();
  if (identity_.route->backend) return dial();
  admit({}, accepted_ ? subprotocol_ : select_subprotocol(head_.fields, *identity_.route), nullptr,
        {});
}

void Admission::dial() {
  const auto& backend = *identity_.route->backend;
  auto request = make_backend_request(
      head_, target_, *identity_.route, principal_,
      {identity_.id_text(), identity_.address, peer_trusted_, secure_},
      accepted_ ? std::optional<std::string_view>(subprotocol_) : std::nullopt);
  if (request.claims_octets_left_out > 0) {
    host_.refusals().claims_left_out(identity_.audited(), request.claims_octets_left_out, now());
  }
  state_ = State::Dialling;
  proxy::BackendHandshake::Observer& observer = *this;
  backend_ = std::make_unique<proxy::BackendHandshake>(host_.loop(), served_->servers_of(backend),
                                                       backend.connect_timeout,
                                                       std::move(request.upgrade), observer);
}

// A handshake that was retired lives on to the end of the iteration, and its server's answer may
// come in the same one as the client's end or the deadline did: it comes too late.
void Admission::on_upgraded(proxy::Upgraded upgraded) {
  if (state_ != State::Dialling) return;
  const auto& server = identity_.route->backend->servers[upgraded.server].text;
  // The client speaks what it has been told: one that speaks nothing is another, too.
  if (accepted_ && upgraded.subprotocol != subprotocol_) {
    detail_ = server;
    return refuse(Refusal::BackendWrong);
  }
  admit(server, upgraded.subprotocol, std::move(upgraded.transport),
        std::move(upgraded.early_octets));
}

void Admission::admit(std::string_view server, std::string_view subprotocol,
                      std::unique_ptr<proxy::Transport> backend, std::string early_from_backend) {
  // A backend may have taken its time. From here on there is a session, which can be closed.
  const bool loaded = host_.revocations().loaded();
  if (!loaded || revoked()) {
    host_.loop().retire(std::move(backend));
    return refuse(loaded ? Refusal::Revoked : Refusal::RevocationsNotLoaded);
  }
  deadline_.disarm();
  host_.audit().connection_opened(
      {identity_.audited(), principal_.authenticator, server, subprotocol, host_.worker_index()});
  host_.counters().answered(101);
  host_.counters().handshakes.observe(now() - head_at_);
  holdings_.connection.established();
  if (!accepted_) transport_->write(proxy::write_switching_protocols(key_, subprotocol));
  state_ = State::Done;
  auto asked = host_.asked().keep(asked_of(request(), credential_));
  host_.on_admitted({served_, std::move(identity_), std::move(holdings_), std::move(principal_),
                     mark_, std::move(asked), denied_ ? denied_->session_id : std::string(),
                     std::move(transport_), std::move(backend), std::move(early_octets_),
                     std::move(early_from_backend)});
  host_.retire(*this);
}

void Admission::on_upgrade_failed(const proxy::UpgradeFailure& why) {
  if (state_ != State::Dialling) return;
  detail_ = identity_.route->backend->servers[why.server].text;
  if (!why.reason.empty()) detail_.append(": ").append(why.reason);
  refuse(refusal_of(why.kind), {}, why.status);
}

void Admission::on_deadline() {
  switch (state_) {
    case State::Arriving:
      return turn_away(too_slow_to_arrive());
    case State::Reading:
      return refuse(Refusal::HeadTooSlow);
    case State::Listening:
      return refuse(Refusal::FirstMessageTooSlow);
    case State::Heard:
      return on_heard();
    case State::Waiting:
      return deny(*denied_);
    case State::Asking:
      return inquiry_ ? deny(*denied_) : refuse(Refusal::DepositsAway);
    case State::Counting:
    case State::Dialling:
      return refuse(Refusal::BackendTooSlow);
    case State::Serving:
      return own_request_->give_up();
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
  if (state_ == State::Arriving) return;  // it is told when it can be
  if (state_ == State::Serving) return own_request_->refuse(Refusal::Draining);
  if (state_ < State::Dialling) refuse(Refusal::Draining);
}

void Admission::give_way() {
  if (state_ == State::Arriving) return turn_away(Refusal::Crowded);
  if (state_ == State::Serving) {
    own_request_->refuse(Refusal::Crowded);
  } else if (state_ < State::Answered) {
    refuse(Refusal::Crowded);
  }
  finish();
}

void Admission::deny(const Denied& denied) { refuse(refusal_of(denied.denial), denied.reason()); }

void Admission::refuse(Refusal refusal, std::string_view reason, int status,
                       std::chrono::milliseconds retry_after) {
  const auto& row = row_of(refusal);
  if (status == 0) status = row.http_status;
  const auto code = close_code_of(status, refusal);
  if (code && !accepted_ && may_be_told_by_close()) accept();
  record_refusal(status, reason.empty() ? row.name : reason,
                 accepted_ ? static_cast<std::uint16_t>(*code) : std::uint16_t{0});
  host_.loop().retire(std::move(backend_));
  holdings_.of_address = {};
  holdings_.of_subject = {};
  holdings_.of_subject_everywhere.reset();
  inquiry_.reset();
  stop_waiting();
  question_.reset();
  state_ = State::Answered;
  if (accepted_) {
    const auto why = refusal == Refusal::Draining ? host_.drain_reason() : std::string();
    return send_away(*code, why.empty() ? proxy::reason_phrase(status) : why);
  }
  transport_->set_reading(true);
  transport_->write(write_answer(status, retry_after));
  transport_->finish();
  deadline_.arm(linger_max);
}

// The route is known, says so, and the client can be answered with a 101.
bool Admission::may_be_told_by_close() {
  if (!identity_.route || !identity_.route->refuse_with_close) return false;
  auto key = proxy::check_upgrade(head_);
  if (!key) return false;
  key_ = std::move(*key);
  return true;
}

// The closing handshake has its own deadlines.
void Admission::send_away(proxy::StatusCode code, std::string_view reason) {
  deadline_.disarm();
  if (!client_) {
    AcceptedClient::Observer& observer = *this;
    client_ = std::make_unique<AcceptedClient>(std::move(transport_), false, host_.loop().timers(),
                                               host_.loop().flushes(), observer);
    client_->start(std::exchange(early_octets_, {}));
  }
  client_->close(code, reason);
}

void Admission::record_refusal(int status, std::string_view reason, std::uint16_t code) {
  host_.counters().answered(status);
  host_.counters().refusals.add(reason);
  host_.refusals().refused({identity_.audited(), reason, status, code, target_.path, detail_},
                           now());
}

void Admission::record_limit(AuditedLimit limit) {
  host_.counters().limit_hit(limit, LimitAction::Refuse);
  host_.refusals().limit_hit({identity_.audited(), limit, LimitAction::Refuse, 0}, now());
}

void Admission::finish() {
  if (std::exchange(state_, State::Done) == State::Done) return;
  deadline_.disarm();
  inquiry_.reset();
  question_.reset();
  stop_waiting();
  host_.loop().retire(std::move(preamble_));
  host_.loop().retire(std::move(backend_));
  holdings_ = {};
  host_.retire(*this);
}

}  // namespace gateway
