#include "gateway/session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "auth/single_use.h"
#include "gateway/session_watch.h"
#include "gateway/wall_time.h"

namespace gateway {

using proxy::Relay;
using proxy::Verdict;

namespace {

// One line a second and connection says that a limit is hit, and how often it was.
constexpr std::chrono::seconds limit_report_interval{1};

// A wait is rounded up to what the loop's clock can tell.
constexpr std::chrono::milliseconds throttle_wait_min{1};

// Who ended it, in the audit's words: an error that this end found is its own closing.
ClosedBy closed_by(const proxy::Ending& ending, Relay::Side side) {
  bool peers_own = ending.cause == proxy::Ending::Cause::Closed ||
                   ending.cause == proxy::Ending::Cause::Vanished;
  if (!peers_own) return ClosedBy::Gateway;
  return side == Relay::Side::Client ? ClosedBy::Client : ClosedBy::Backend;
}

// The one issuer that its tokens may be of; null: there is none, or any.
const std::string* issuer_of(const Authenticator* authenticator) {
  if (!authenticator || !authenticator->verifier) return nullptr;
  const auto& issuer = authenticator->verifier->rules().issuer;
  return issuer ? &*issuer : nullptr;
}

std::unique_ptr<const std::string> kept_issuer(const Authenticator* authenticator,
                                               const std::string& issuer) {
  const auto* named = issuer_of(authenticator);
  if (issuer.empty() || (named && *named == issuer)) return nullptr;
  return std::make_unique<const std::string>(issuer);
}

Traffic traffic(const proxy::Tally& tally) { return {tally.messages, tally.octets}; }

}  // namespace

// What a client has of the application's login, and others need not pay for.
struct Session::Login final : SessionWatch::Host {
  Login(Session& its, std::string id, const auth::Principal& principal)
      : session(its), watch(*this, its.host_.timers(), std::move(id), principal) {}

  std::string_view subject() override { return session.identity_.subject; }
  SessionStore& session_store() override { return session.host_.session_store(session_settings()); }
  const SessionSettings& session_settings() override { return *session.authenticator_->session; }
  void on_session_changed(auth::Principal principal, bool other_claims) override {
    session.on_login_changed(std::move(principal), other_claims);
  }
  void on_session_over(Goodbye why) override { session.say_goodbye(why, {}); }

  Session& session;
  SessionWatch watch;
};

Session::Session(Host& host, AdmittedClient client)
    : host_(host),
      served_(std::move(client.served)),
      identity_(std::move(client.identity)),
      holdings_(std::move(client.holdings)),
      asked_(std::move(client.asked)),
      authenticator_(find_authenticator(*identity_.route, client.principal.authenticator)),
      issuer_(kept_issuer(authenticator_, client.principal.issuer)),
      key_(client.principal.key),
      lifetime_(client.principal.good_until, host.timers().now()),
      mark_(client.mark),
      messages_(identity_.route->connection_limits.messages, lifetime_.opened()),
      octets_(identity_.route->connection_limits.octets, lifetime_.opened()),
      due_(host.timers(), [this] { watch_time(); }),
      relay_(std::move(client.client), std::move(client.backend), served_route().relay,
             host.timers(), host.flushes(), *this) {
  keep_claims(client.principal.claims);
  if (!client.session_id.empty()) {
    login_ = std::make_unique<Login>(*this, std::move(client.session_id), client.principal);
  }
  if (identity_.route->rooms) {
    Conversation::Host& speaker = *this;
    conversation_ = std::make_unique<Conversation>(speaker, host.room_services(), *identity_.route,
                                                   std::move(client.principal), asked_->path);
  }
  route_counters().opened.add();
  route_counters().open.add(1);
  due_.arm(lifetime_.wait(identity_.route->lifetime, host.timers().now()));
}

Session::~Session() = default;

void Session::start(std::string_view early_from_client, std::string_view early_from_backend) {
  follow_policy();  // it may be another one since the client was admitted, and
  check_time();     // the token may have ended while the backend was awaited: nothing goes on after
                    // that
  relay_.start(early_from_client, early_from_backend);
}

void Session::check_time() {
  const auto due = lifetime_.due(identity_.route->lifetime, host_.timers().now());
  if (due != Lifetime::Due::Nothing) watch_time();
}

void Session::watch_time() {
  follow_policy();
  if (!relay_.open()) return;
  const auto& rules = identity_.route->lifetime;
  const auto now = host_.timers().now();
  switch (lifetime_.due(rules, now)) {
    case Lifetime::Due::SessionEnd:
      return say_goodbye(Goodbye::SessionEnded, {});
    case Lifetime::Due::TokenEnd:
      return say_goodbye(Goodbye::TokenEnded, {});
    case Lifetime::Due::Warning:
      lifetime_.set_warned();
      if (conversation_) conversation_->warn_of_end(lifetime_.left(now));
      break;
    case Lifetime::Due::Nothing:
      break;
  }
  due_.arm(lifetime_.wait(rules, now));
}

// --- another policy ---

Standing Session::standing() const {
  return {*asked_,
          *identity_.route,
          authenticator_,
          key_,
          identity_.subject,
          claims_ ? std::string_view(claims_.get()) : std::string_view(),
          conversation_ ? conversation_->claims() : nullptr};
}

void Session::keep_claims(const auth::Claims& claims) {
  claims_.reset();
  if (!claims.object()) return;
  const auto json = claims.to_json();
  claims_ = std::make_unique<char[]>(json.size() + 1);  // JSON has no NUL octet: it ends the text
  std::ranges::copy(json, claims_.get());
}

void Session::follow_policy() {
  const auto goodbye = take_policy();
  if (!goodbye) return;
  ++host_.adoptions().asked;
  ++host_.adoptions().closed;
  say_goodbye(*goodbye, {});
}

// The same where a message of the client's waits for its verdict.
std::optional<Verdict> Session::closed_by_policy() {
  const auto goodbye = take_policy();
  if (!goodbye) return std::nullopt;
  ++host_.adoptions().asked;
  ++host_.adoptions().closed;
  return verdict_of(*goodbye);
}

// None: it has it, or needs none any more. Else why it is to be closed; until then nothing passes.
std::optional<Goodbye> Session::take_policy() {
  if (!behind() || !relay_.open()) return std::nullopt;
  auto adopted = gateway::adopt(*host_.served()->policy, standing());
  if (!adopted) return adopted.error();
  adopt(*std::move(adopted));
  return std::nullopt;
}

void Session::adopt(Adopted adopted) {
  const auto stands = standing();
  route_counters().open.add(-1);
  const auto before = std::exchange(served_, host_.served());  // until nothing points into it
  const auto* issuer = issuer_of(authenticator_);
  if (!issuer_ && issuer) issuer_ = kept_issuer(adopted.authenticator, *issuer);
  authenticator_ = adopted.authenticator;
  identity_.route = adopted.match.route;
  route_counters().open.add(1);
  subject_name_.reset();
  relay_.adopt(served_route().relay);
  auto& tally = host_.adoptions();
  ++tally.asked;
  if (conversation_) {
    auto principal = principal_of(stands, identity_.route->rooms->rules.looks_at());
    tally.rooms_left += conversation_->adopt(*identity_.route, std::move(principal),
                                             std::move(adopted.match.captures));
  }
  due_.arm(lifetime_.wait(identity_.route->lifetime, host_.timers().now()));
}

// A publication may be handed out before the session was asked. Nobody leaves a room meanwhile, and
// no more is worked out than for this one: thousands may be members, and each of other rooms, too.
void Session::deliver(std::string_view room_key, const proxy::SharedOctets& frame) {
  if (!behind() || stays_in(room_key)) relay_.tell(frame);
}

bool Session::stays_in(std::string_view room_key) const {
  const auto stands = standing();
  const auto adopted = gateway::adopt(*host_.served()->policy, stands);
  if (!adopted) return false;
  const auto& route = *adopted->match.route;
  return conversation_->may_stay(room_key, route,
                                 principal_of(stands, route.rooms->rules.looks_at()),
                                 adopted->match.captures);
}

void Session::drain(std::string_view reason) { say_goodbye(Goodbye::Draining, reason); }

// A message is charged once, at the header of its first frame; octets as headers arrive (CONTRACT
// 4, "Limits").
Verdict Session::admit(const proxy::FrameHeader& frame) {
  if (const auto closed = closed_by_policy()) return *closed;
  bool begins_message = frame.opcode != proxy::Opcode::Continuation;
  if (begins_message) {
    if (auto over = charge_message()) return *over;
  }
  if (auto over = charge_octets(frame)) return *over;
  connection_charged_ = subject_charged_ = false;
  return {};
}

// The same at once, where every bucket has enough for every one of them.
bool Session::admit_all(const proxy::Tally& messages) {
  if (take_policy()) return false;        // admit() says so
  if (connection_charged_) return false;  // of the first, less is owed
  if (identity_.route->subject_limits.messages.limited()) return false;  // shared: one by one
  const auto& limits = identity_.route->connection_limits;
  auto count = static_cast<double>(messages.messages);
  auto octets = static_cast<double>(messages.octets);
  if (!messages_.holds(limits.messages, now(), count)) return false;
  if (!octets_.holds(limits.octets, now(), octets)) return false;
  return messages_.take(limits.messages, now(), count) &&
         octets_.take(limits.octets, now(), octets);
}

std::optional<Verdict> Session::charge_message() {
  const auto& of_connection = identity_.route->connection_limits.messages;
  if (!connection_charged_ && of_connection.limited()) {
    if (!messages_.take(of_connection, now())) {
      return exceed_unread(AuditedLimit::ConnectionMessages, true,
                           messages_.wait_for(of_connection, now()));
    }
    connection_charged_ = true;
  }
  const auto& of_subject = identity_.route->subject_limits;
  if (!subject_charged_ && of_subject.messages.limited()) {
    auto over = of_subject.scope == Scope::Global ? charge_shared_subject() : charge_subject();
    if (over) return over;
    subject_charged_ = true;
  }
  return std::nullopt;
}

std::optional<Verdict> Session::charge_subject() {
  auto& ledger = host_.room_services().ledger;
  const auto& route = *identity_.route;
  if (!subject_name_) {
    subject_name_ =
        std::make_unique<Ledger::Name>(ledger.subject_name(route.id, identity_.subject));
  }
  auto wait = ledger.take_message(*subject_name_, route.subject_limits.messages, now());
  if (wait == wait.zero()) return std::nullopt;
  return exceed_unread(AuditedLimit::SubjectMessages, true, wait);
}

// What all instances count together. Where nobody can say yet, the message waits to be judged,
// whatever `on_exceed` is.
std::optional<Verdict> Session::charge_shared_subject() {
  const auto& services = host_.room_services();
  const auto& route = *identity_.route;
  const auto& limit = route.subject_limits.messages;
  if (!subject_name_) {
    subject_name_ = std::make_unique<Ledger::Name>(
        services.ledger.shared_subject_name(route.id, identity_.subject));
  }
  const auto said = services.ledger.take_shared_message(*subject_name_, limit, now());
  if (said.question) {
    services.permits->post({route.id, shared_key(route.key, identity_.subject),
                            identity_.subject.size(), limit, *said.question});
  }
  switch (said.kind) {
    case Lease::Verdict::Kind::Pass:
      return std::nullopt;
    case Lease::Verdict::Kind::Ask:
      return Verdict{Verdict::Kind::Hold, said.wait};
    case Lease::Verdict::Kind::Refuse:
      return exceed_unread(AuditedLimit::SubjectMessages, true, said.wait);
  }
  std::unreachable();
}

std::optional<Verdict> Session::charge_octets(const proxy::FrameHeader& frame) {
  const auto& limit = identity_.route->connection_limits.octets;
  if (!limit.limited()) return std::nullopt;
  auto octets = static_cast<double>(frame.payload_octets);
  if (octets_.take(limit, now(), octets)) return std::nullopt;
  return exceed_unread(AuditedLimit::ConnectionOctets, frame.opcode != proxy::Opcode::Continuation,
                       octets_.wait_for(limit, now(), octets));
}

Verdict Session::judge(Relay::Side from, const proxy::Message& message) {
  if (from == Relay::Side::Backend) {
    return hears_backend() ? conversation_->from_backend(message) : Verdict{Verdict::Kind::Swallow};
  }
  if (const auto closed = closed_by_policy()) return *closed;
  return conversation_->from_client(message);
}

// Of a message that has not been read. Where messages stream, nothing can be dropped of one whose
// beginning has gone on.
Verdict Session::exceed_unread(AuditedLimit limit, bool begins_message, proxy::Duration wait) {
  auto on_exceed = identity_.route->connection_limits.on_exceed;
  if (on_exceed == OnExceed::Drop && !begins_message && !conversation_) {
    report_limit(limit, LimitAction::Close);
    return verdict_of(Goodbye::LimitExceeded);
  }
  if (on_exceed != OnExceed::Throttle) connection_charged_ = subject_charged_ = false;
  auto verdict = exceed(limit, wait);
  return on_exceed == OnExceed::Error ? conversation_->tell_limit(wait) : verdict;
}

Verdict Session::exceed(AuditedLimit limit, proxy::Duration wait) {
  switch (identity_.route->connection_limits.on_exceed) {
    case OnExceed::Error:
      report_limit(limit, LimitAction::Error);
      return {Verdict::Kind::Swallow};
    case OnExceed::Drop:
      report_limit(limit, LimitAction::Drop);
      return {Verdict::Kind::Swallow};
    case OnExceed::Throttle:
      report_limit(limit, LimitAction::Throttle);
      return {Verdict::Kind::Hold, std::max<proxy::Duration>(wait, throttle_wait_min)};
    case OnExceed::Close:
      report_limit(limit, LimitAction::Close);
      return verdict_of(Goodbye::LimitExceeded);
  }
  std::unreachable();
}

void Session::refused(std::string_view reason, std::string_view room) {
  host_.counters().messages_refused.add(reason);
  host_.refusals().message_refused({identity_.audited(), reason, room}, now());
}

std::expected<auth::Principal, Denied> Session::authenticate_again(std::string_view token) {
  const auto* issuer = issuer_ ? issuer_.get() : issuer_of(authenticator_);
  const auto now = wall_time(host_.timers().now());
  auto principal = gateway::authenticate_again(
      *identity_.route,
      {identity_.subject, issuer ? std::string_view(*issuer) : std::string_view(), authenticator_},
      token, host_.key_ring().known(), now);
  if (!principal) {
    // Not waited for: the next attempt finds it.
    const auto& denied = principal.error();
    if (denied.key_may_have_come) host_.key_ring().look_for(*denied.authenticator);
    return principal;
  }
  const auto& revocations = host_.revocations();
  const auto mark = revocations.mark_of(*principal);
  if (!revocations.loaded() || revocations.meets(principal->subject, mark, now)) {
    return std::unexpected(Denied::because(Denial::Revoked));
  }
  return principal;
}

// Asked for once, whatever the client says while its answer is awaited: that waits behind it.
std::optional<DepositAnswer::Outcome> Session::use_token(const auth::Principal& principal) {
  auto name = auth::name_of_token(principal.authenticator, principal.issuer, principal.token_id);
  if (!use_ || use_->name != name) {
    Depositing::Asker& asker = *this;
    use_ = std::make_unique<Use>(Use{std::move(name), nullptr, std::nullopt});
    use_->question =
        host_.depositing().mark_token(asker, principal, wall_time(host_.timers().now()));
  }
  const auto outcome = use_->outcome;
  if (outcome) use_.reset();
  return outcome;
}

void Session::on_deposit(DepositAnswer answer) {
  use_->outcome = answer.outcome;
  relay_.resume();
}

void Session::renew(const auth::Principal& principal, std::size_t rooms_lost) {
  mark_ = host_.revocations().mark_of(principal);
  // Its issuer is the one before.
  const auto* issuer = issuer_of(authenticator_);
  authenticator_ = find_authenticator(*identity_.route, principal.authenticator);
  if (!issuer_ && issuer) issuer_ = kept_issuer(authenticator_, *issuer);
  key_ = principal.key;
  keep_claims(principal.claims);
  live_until(principal.good_until);
  host_.refusals().token_refreshed({identity_.audited(), principal.authenticator, rooms_lost},
                                   now());
}

void Session::live_until(std::optional<auth::WallTime> good_until) {
  lifetime_.renew(good_until, host_.timers().now());
  due_.arm(lifetime_.wait(identity_.route->lifetime, host_.timers().now()));
}

void Session::on_login_changed(auth::Principal principal, bool other_claims) {
  const auto good_until = principal.good_until;
  if (other_claims && !take_claims(std::move(principal))) return;
  if (relay_.open()) live_until(good_until);
}

// False: they do not let it stay.
bool Session::take_claims(auth::Principal principal) {
  RouteCaptures captures;
  identity_.route->path.matches(asked_->path, captures);
  if (!check_allow(*identity_.route, principal, captures)) {
    return say_goodbye(Goodbye::NotAllowed, {}), false;
  }
  const std::string authenticator = principal.authenticator;
  keep_claims(principal.claims);
  const auto rooms_lost = conversation_ ? conversation_->change_claims(std::move(principal)) : 0;
  host_.audit().session_changed({identity_.audited(), authenticator, rooms_lost});
  return true;
}

void Session::report_limit(AuditedLimit limit, LimitAction action) {
  host_.counters().limit_hit(limit, action);
  limit_hit_ = limit;
  limit_action_ = action;
  ++limit_hits_unreported_;
  if (now() >= limit_report_due_) write_limit_line();
}

// Stands for all hits since the last such line.
void Session::write_limit_line() {
  limit_report_due_ = now() + limit_report_interval;
  auto suppressed = std::exchange(limit_hits_unreported_, 0) - 1;
  host_.refusals().limit_hit({identity_.audited(), limit_hit_, limit_action_, suppressed}, now());
}

void Session::say_goodbye(Goodbye goodbye, std::string_view reason) {
  const auto& row = row_of(goodbye);
  if (!relay_.open()) return;
  relay_.close(row.code, reason.empty() ? row.reason : reason);
  record_end(static_cast<std::uint16_t>(row.code), ClosedBy::Gateway, row.name);
}

void Session::on_ending(Relay::Side first, const proxy::Ending& ending, const proxy::Close& told) {
  if (ending.cause == proxy::Ending::Cause::Stalled) {
    auto& counters = host_.counters();
    (first == Relay::Side::Client ? counters.slow_clients : counters.slow_backends).add();
  }
  bool vanished = first == Relay::Side::Client && ending.cause == proxy::Ending::Cause::Vanished;
  auto code = vanished ? std::uint16_t{0} : static_cast<std::uint16_t>(told.code);
  record_end(code, closed_by(ending, first), name_of(ending, first));
}

void Session::record_end(std::uint16_t code, ClosedBy by, std::string_view reason) {
  due_.disarm();
  use_.reset();
  if (login_) login_->watch.stop();
  if (conversation_) conversation_->end();
  if (limit_hits_unreported_ > 0) write_limit_line();
  host_.counters().closed(by, code);
  auto duration = host_.timers().now().monotonic - lifetime_.opened();
  host_.audit().connection_closed(
      {identity_.audited(), code, by, reason, traffic(relay_.tally(Relay::Side::Client)),
       traffic(relay_.tally(Relay::Side::Backend)),
       std::chrono::duration_cast<std::chrono::milliseconds>(duration)});
}

// Its socket is closed, so it counts no more, although the backend may still have to answer.
void Session::on_client_gone() {
  holdings_ = {};
  route_counters().open.add(-1);
}

void Session::on_gone() { host_.retire(*this); }

}  // namespace gateway
