#include "gateway/conversation.h"

#include <algorithm>
#include <array>
#include <span>

#include "gateway/refusal.h"
#include "gateway/room_key.h"
#include "proxy/frame_writer.h"

namespace gateway {

using proxy::Message;
using proxy::Verdict;

namespace {

// CONTRACT 4, "Limits": a client that is told no this often is not listening.
constexpr std::uint32_t errors_max = 100;
constexpr std::chrono::seconds errors_interval{5};

// A client in few rooms is found in its own list faster than in a table of all rooms.
constexpr std::size_t short_list_max = 8;

const Verdict pass{};
const Verdict swallow{Verdict::Kind::Swallow};

// In the audit log, besides the errors that a client is told.
constexpr std::string_view other_denied = "other_denied";
constexpr std::string_view backend_message_dropped = "backend_message_dropped";

// What comes of a join that names a room, besides the errors for one.
constexpr std::string_view join_confirmed = "joined";

std::vector<std::string_view> list_message_refusal_reasons() {
  std::vector<std::string_view> reasons{other_denied, backend_message_dropped};
  for (std::size_t i = 0; i <= static_cast<std::size_t>(last_room_error); ++i) {
    reasons.push_back(name_of(static_cast<RoomError>(i)));
  }
  for (const auto denial : {Denial::PrincipalChanged, Denial::NotAllowed, Denial::Revoked,
                            Denial::KeysMissing, Denial::TokenUsed}) {  // of a refresh
    reasons.push_back(Denied::because(denial).reason());
  }
  for (std::size_t i = 0; i <= static_cast<std::size_t>(auth::last_token_error); ++i) {
    reasons.push_back(auth::name_of(static_cast<auth::TokenError>(i)));
  }
  return reasons;
}

proxy::SharedOctets text_frame(std::string_view json) {
  return proxy::share(proxy::write_frame(proxy::Role::Server, proxy::Opcode::Text, json));
}

// No more than the rules look at: a claims set costs as much as all else of an idle member.
std::unique_ptr<const auth::Principal> kept(auth::Principal principal, auth::LooksAt needed) {
  if (needed == auth::LooksAt::Nothing) return nullptr;
  principal.claims =
      needed == auth::LooksAt::Claims ? principal.claims.without_text() : auth::Claims();
  return std::make_unique<const auth::Principal>(std::move(principal));
}

}  // namespace

std::span<const std::string_view> message_refusal_reasons() {
  static const auto reasons = list_message_refusal_reasons();
  return reasons;
}

std::span<const std::string_view> join_outcomes() {
  static const std::array outcomes{join_confirmed, name_of(RoomError::AccessDenied),
                                   name_of(RoomError::TooManyRooms),
                                   name_of(RoomError::Unavailable)};
  return outcomes;
}

Conversation::Conversation(Host& host, const RoomServices& services, const Route& route,
                           auth::Principal principal, std::string_view path)
    : host_(host),
      services_(services),
      route_(&route),
      principal_(kept(std::move(principal), route.rooms->rules.looks_at())),
      key_prefix_octets_(static_cast<std::uint32_t>(key_of({}).size())) {
  if (route.path.capture_names().empty()) return;
  RouteCaptures captured;
  route.path.matches(path, captured);
  captures_ = std::make_unique<const RouteCaptures>(std::move(captured));
}

Verdict Conversation::from_client(const Message& message) {
  return silent() ? judge_action(message) : judge_envelope(message);
}

Verdict Conversation::from_backend(const Message& message) {
  if (message.opcode != proxy::Opcode::Text) return pass;
  return silent() ? judge_backend_action(message.payload) : judge_backend_envelope(message.payload);
}

// --- messages: rooms ---

Verdict Conversation::judge_envelope(const Message& message) {
  if (message.opcode != proxy::Opcode::Text) return refuse(RoomError::BadMessage, {}, {});
  const bool has_backend = route_->backend != nullptr;
  auto envelope = services_.reader.read(message.payload, {settings().other_passes, has_backend});
  if (!envelope) return refuse(RoomError::BadMessage, {}, envelope.error().id);
  switch (envelope->type) {
    case Envelope::Type::Join:
      return join(envelope->room, envelope->id);
    case Envelope::Type::Leave:
      return leave(envelope->room, envelope->id);
    case Envelope::Type::Message:
      return publish(envelope->room, envelope->id, envelope->payload);
    case Envelope::Type::Refresh:
      return refresh(envelope->token, envelope->id);
    case Envelope::Type::Other:
      return pass;
  }
  std::unreachable();
}

// What is said in a room is for its members; all else a backend may tell its client.
Verdict Conversation::judge_backend_envelope(std::string_view text) {
  using Kind = EnvelopeReader::FromBackend::Kind;
  const auto read = services_.reader.read_from_backend(text);
  if (read.kind == Kind::Free) return pass;
  if (read.kind == Kind::Dropped) return drop_from_backend();
  if (read.kind == Kind::Broadcast && settings().backend_broadcast) {
    auto frame = text_frame(room_message(read.room, {}, read.payload));
    if (!services_.rooms.publish(key_of(read.room), std::move(frame))) {
      host_.refused(name_of(RoomError::Unavailable), read.room);  // nobody is there to be told
    }
    return swallow;
  }
  // A backend that answers leaves itself says so to one that is no member any more.
  if (settings().backend_acknowledges && read.type == "left") return pass;
  return member_of(read.room) ? pass : swallow;
}

// --- messages: { json: … } ---

Verdict Conversation::judge_action(const Message& message) {
  using Kind = EnvelopeReader::Action::Kind;
  EnvelopeReader::Action action{Kind::Other, {}};
  if (message.opcode == proxy::Opcode::Text) {
    action = services_.reader.read_action(message.payload, *settings().json);
  }
  switch (action.kind) {
    case Kind::Join:
      return join(action.room, {});
    case Kind::Leave:
      return leave(action.room, {});
    case Kind::Publish:
      return publish(action.room, {}, {});
    case Kind::Other:
      return settings().json->other_passes ? pass : deny(other_denied, {});
    case Kind::BadRoom:
    case Kind::Unreadable:
      return refuse(RoomError::BadMessage, {}, {});
  }
  std::unreachable();
}

Verdict Conversation::judge_backend_action(std::string_view text) {
  bool dropped = false;
  const auto room = services_.reader.read_room(text, *settings().json, dropped);
  if (dropped) return drop_from_backend();
  return !room || member_of(*room) ? pass : swallow;
}

// --- what a client may do ---

Verdict Conversation::join(std::string_view room, std::string_view id) {
  // The message that was held is judged again: its answer has been given, the backend is left. By
  // another policy it may have been something else by then, and this is another one.
  if (pending_ && pending_->verdict) {
    const auto held = std::exchange(pending_, nullptr);
    if (held->room == room) return *held->verdict;
  }
  if (!may(auth::RoomAction::Join, room)) return refuse_join(RoomError::AccessDenied, room, id);
  if (!find(room) && memberships().size() >= settings().rooms_per_connection_max) {
    return refuse_join(RoomError::TooManyRooms, room, id);
  }
  auto key = key_of(room);
  switch (services_.rooms.join(*this, key)) {
    case Rooms::Join::Joined:
      return confirm_join(room, id);
    case Rooms::Join::Pending:
      pending_.reset(new PendingJoin{std::move(key), std::string(room), std::string(id)});
      return {Verdict::Kind::Hold, Verdict::until_resumed};
    case Rooms::Join::Refused:
      return refuse_join(RoomError::Unavailable, room, id);
  }
  std::unreachable();
}

Verdict Conversation::confirm_join(std::string_view room, std::string_view id) {
  host_.on_join(join_confirmed);
  if (answers_joins()) answer(joined_answer(room, id));
  return tell_backend();
}

Verdict Conversation::refuse_join(RoomError error, std::string_view room, std::string_view id) {
  host_.on_join(name_of(error));
  return refuse(error, room, id);
}

// Answered at once, since what is said in the room from now on comes behind it.
void Conversation::on_joined(std::string_view key, bool confirmed) {
  if (!pending_ || pending_->key != key) return;
  pending_->verdict = confirmed ? confirm_join(pending_->room, pending_->id)
                                : refuse_join(RoomError::Unavailable, pending_->room, pending_->id);
  host_.resume();
}

Verdict Conversation::leave(std::string_view room, std::string_view id) {
  if (const auto* membership = find(room)) services_.rooms.leave(*this, *membership);
  if (answers_joins()) answer(left_answer(room, id, {}));
  return tell_backend();
}

// Permission is asked before membership, so that nobody learns more by joining.
Verdict Conversation::publish(std::string_view room, std::string_view id,
                              std::string_view payload) {
  if (!may_publish(room)) return refuse(RoomError::AccessDenied, room, id);
  const auto* membership = find(room);
  if (!membership || !membership->joined()) return refuse(RoomError::NotAMember, room, id);
  if (settings().room_messages.limited()) {
    auto wait =
        services_.ledger.take_message(name_of_spoken(), settings().room_messages, host_.now());
    if (wait > wait.zero()) return exceed_room(wait, room, id);
  }
  if (settings().deliver == Deliver::Backend) return pass;
  return hand_out(*membership, room, id, payload);
}

Verdict Conversation::hand_out(const Rooms::Membership& membership, std::string_view room,
                               std::string_view id, std::string_view payload) {
  auto frame = text_frame(room_message(room, host_.subject(), payload));
  if (!services_.rooms.publish(membership, std::move(frame), id)) {
    return refuse(RoomError::Unavailable, room, id);
  }
  return settings().deliver == Deliver::Both ? pass : swallow;
}

void Conversation::on_unpublished(std::string_view key, std::string_view id) {
  const auto room = key.substr(key_prefix_octets_);
  host_.refused(name_of(RoomError::Unavailable), room);
  // Not among the errors that a client is told for what it does: this one did nothing wrong.
  if (!silent()) answer(error_answer(RoomError::Unavailable, room, id, std::nullopt));
}

const auth::Claims* Conversation::claims() const {
  return settings().rules.looks_at() == auth::LooksAt::Claims ? &principal_->claims : nullptr;
}

void Conversation::warn_of_end(proxy::Duration left) {
  if (!silent())
    answer(expiring_answer(
        std::chrono::round<std::chrono::seconds>(std::max(left, proxy::Duration::zero()))));
}

// --- another token ---

// A leave in the client's name may not overtake what the client said before: that has been written
// by the time that the message which is held here is judged again.
Verdict Conversation::refresh(std::string_view token, std::string_view id) {
  if (route_->backend && !std::exchange(refresh_held_, !refresh_held_)) {
    return {Verdict::Kind::Hold, proxy::Duration::zero()};
  }
  auto principal = host_.authenticate_again(token);
  if (!principal) return refuse_refresh(principal.error(), id);
  const auto allowed = check_allow(*route_, *principal, captures());
  if (!allowed) return refuse_refresh(allowed.error(), id);
  if (principal->single_use) {
    if (auto refused = refuse_used(*principal, id)) return *refused;
  }
  const auto lost = rooms_lost_by(*principal);
  host_.renew(*principal, lost.size());
  answer(refreshed_answer(principal->good_until, id));
  replace(*std::move(principal), lost, "refresh");
  return swallow;
}

// Not within a message of the client's: what it said before has gone on.
std::size_t Conversation::change_claims(auth::Principal principal) {
  const auto lost = rooms_lost_by(principal);
  replace(std::move(principal), lost, "refresh");
  return lost.size();
}

void Conversation::replace(auth::Principal principal, std::span<const std::string> lost,
                           std::string_view reason) {
  principal_ = kept(std::move(principal), settings().rules.looks_at());
  spoken_.reset();
  for (const auto& room : lost) give_up_join(room) ? leave(room) : lose(room, reason);
}

// None: it is used for the first time. A refresh is a use, also of the token that the connection
// was opened with.
std::optional<Verdict> Conversation::refuse_used(const auth::Principal& principal,
                                                 std::string_view id) {
  const auto outcome = host_.use_token(principal);
  if (!outcome) return Verdict{Verdict::Kind::Hold, Verdict::until_resumed};
  switch (*outcome) {
    case DepositAnswer::Outcome::Done:
      return std::nullopt;
    case DepositAnswer::Outcome::NotDone:
      return refuse_refresh(Denied::because(Denial::TokenUsed), id);
    case DepositAnswer::Outcome::Away:
    case DepositAnswer::Outcome::Full:
      break;
  }
  return refuse(RoomError::Unavailable, {}, id);
}

// One that does not verify leaves everything as it was.
Verdict Conversation::refuse_refresh(const Denied& denied, std::string_view id) {
  host_.refused(denied.reason(), {});
  if (denied.denial == Denial::PrincipalChanged) return verdict_of(Goodbye::PrincipalChanged);
  if (denied.denial == Denial::NotAllowed) return verdict_of(Goodbye::NotAllowed);
  return tell_error(RoomError::InvalidToken, {}, id);
}

std::vector<std::string> Conversation::rooms_lost_by(const auth::Principal& principal) const {
  std::vector<std::string> lost;
  for (const auto& membership : memberships()) {
    const auto room = membership.key().substr(key_prefix_octets_);
    const auth::RoomRequest asked{room, auth::RoomAction::Join};
    const bool stays = services_.rule_of_room.may(settings().rules, principal, asked, captures());
    if (!stays) lost.emplace_back(room);
  }
  return lost;
}

// --- another policy ---

std::size_t Conversation::adopt(const Route& route, auth::Principal principal,
                                RouteCaptures captures) {
  route_ = &route;
  captures_ =
      captures.empty() ? nullptr : std::make_unique<const RouteCaptures>(std::move(captures));
  const auto lost = rooms_lost_by(principal);
  replace(std::move(principal), lost, "policy");
  return lost.size();
}

bool Conversation::may_stay(std::string_view room_key, const Route& route,
                            const auth::Principal& principal, const RouteCaptures& captures) const {
  const auto room = room_key.substr(key_prefix_octets_);
  return services_.rule_of_room.may(route.rooms->rules, principal, {room, auth::RoomAction::Join},
                                    captures);
}

// Of the join that waits, if it is of this room. True: it had no answer yet, and has one now. Else
// it had, and was to go on to the backend, which is told of a leave instead.
bool Conversation::give_up_join(std::string_view room) {
  if (!pending_ || pending_->room != room) return false;
  const bool answered = pending_->verdict.has_value();
  pending_->verdict = answered ? swallow : refuse(RoomError::AccessDenied, room, pending_->id);
  if (!answered) host_.resume();
  return !answered;
}

// The client did not ask for it, so it is told why; to the backend it has left. In a protocol that
// is not the gateway's neither hears of it.
void Conversation::lose(std::string_view room, std::string_view reason) {
  leave(room);
  if (silent()) return;
  answer(left_answer(room, {}, reason));
  if (!route_->backend) return;
  host_.tell_backend(proxy::share(
      proxy::write_frame(proxy::Role::Client, proxy::Opcode::Text, leave_message(room))));
}

Verdict Conversation::exceed_room(proxy::Duration wait, std::string_view room,
                                  std::string_view id) {
  const auto verdict = host_.exceed(AuditedLimit::RoomMessages, wait);
  if (route_->connection_limits.on_exceed != OnExceed::Error) return verdict;
  return tell_error(RoomError::RateLimited, room, id, wait);
}

// --- how no is said ---

Verdict Conversation::refuse(RoomError error, std::string_view room, std::string_view id) {
  if (silent()) return deny(name_of(error), room);
  host_.refused(name_of(error), room);
  return tell_error(error, room, id);
}

// Without a word: the protocol is not the gateway's.
Verdict Conversation::deny(std::string_view reason, std::string_view room) {
  host_.refused(reason, room);
  return settings().json->close_on_denied ? verdict_of(Goodbye::MessageDenied) : swallow;
}

Verdict Conversation::drop_from_backend() {
  host_.refused(backend_message_dropped, {});
  return swallow;
}

Verdict Conversation::tell_error(RoomError error, std::string_view room, std::string_view id,
                                 std::optional<proxy::Duration> wait) {
  const auto now = host_.now();
  if (now - errors_since_ >= errors_interval) {
    errors_since_ = now;
    errors_ = 0;
  }
  if (++errors_ > errors_max) return verdict_of(Goodbye::TooManyErrors);
  std::optional<std::chrono::milliseconds> retry_after;
  if (wait) retry_after = std::chrono::ceil<std::chrono::milliseconds>(*wait);
  answer(error_answer(error, room, id, retry_after));
  return swallow;
}

void Conversation::answer(const std::string& json) { host_.tell(text_frame(json)); }

Verdict Conversation::tell_backend() const { return route_->backend ? pass : swallow; }

// --- who is where ---

bool Conversation::may(auth::RoomAction action, std::string_view room) const {
  static const auth::Principal anybody;
  const auth::Principal& principal = principal_ ? *principal_ : anybody;
  return auth::may(settings().rules, principal, {room, action}, captures());
}

auth::Captures Conversation::captures() const {
  return captures_ ? auth::Captures(*captures_) : auth::Captures();
}

bool Conversation::may_publish(std::string_view room) {
  if (!spoken_ || spoken_->room != room) {
    spoken_.reset(new SpokenRoom{std::string(room), may(auth::RoomAction::Publish, room), {}});
  }
  return spoken_->allowed;
}

const Ledger::Name& Conversation::name_of_spoken() {
  if (!spoken_->name) {
    spoken_->key = key_of(spoken_->room);
    spoken_->name = services_.ledger.room_name(spoken_->key);
  }
  return *spoken_->name;
}

const Rooms::Membership* Conversation::find(std::string_view room) const {
  const auto mine = memberships();
  if (mine.size() > short_list_max) return services_.rooms.find(*this, key_of(room));
  // All of them are of the route's one space.
  auto found = std::ranges::find_if(mine, [&](const Rooms::Membership& membership) {
    return membership.key().substr(key_prefix_octets_) == room;
  });
  return found == mine.end() ? nullptr : &*found;
}

bool Conversation::member_of(std::string_view room) const {
  const auto* membership = find(room);
  return membership && membership->joined();
}

bool Conversation::member_of_key(std::string_view key) const {
  if (memberships().empty()) return false;
  const auto* membership = services_.rooms.find(*this, key);
  return membership && membership->joined();
}

std::string Conversation::key_of(std::string_view room) const {
  return room_key(settings().space, room);
}

}  // namespace gateway
