#include "gateway/control.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

namespace gateway {
namespace {

using proxy::RedisReply;

// Whatever is in the set has been told to all who hear: both are done, or neither. The member that
// this one takes the place of, where there is one, is the last argument.
constexpr std::string_view store_script =
    "local added = redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3]) "
    "if added == 1 then redis.call('PUBLISH', ARGV[1], ARGV[3]) end "
    "if ARGV[4] then redis.call('ZREM', KEYS[1], ARGV[4]) end "
    "return added";

constexpr std::string_view close_begin = R"({"type":"close","connection":")";
constexpr std::string_view close_end = R"("})";

std::string write_close(const ConnectionId& connection) {
  return fmt::format("{}{}{}", close_begin, std::string_view(connection.data(), connection.size()),
                     close_end);
}

// None: it is not what write_close() writes.
std::optional<ConnectionId> read_close(std::string_view text) {
  if (!text.starts_with(close_begin) || !text.ends_with(close_end)) return std::nullopt;
  return parse_connection_id(
      text.substr(close_begin.size(), text.size() - close_begin.size() - close_end.size()));
}

std::string score_of(auth::WallTime time) {
  return fmt::to_string(time.time_since_epoch().count());
}

}  // namespace

Control::Control(proxy::Timers& timers, Revocations& revocations, Sweeps& sweeps, Audit& audit,
                 std::chrono::milliseconds longest_token)
    : timers_(timers),
      revocations_(revocations),
      sweeps_(sweeps),
      audit_(audit),
      longest_token_(longest_token),
      tidy_(timers, [this] { tidy(); }) {
  revocations_.set_loaded(true);
  tidy_.arm(tidy_interval);
}

void Control::join(proxy::Store& store, std::string_view prefix) {
  store_ = &store;
  channel_ = fmt::format("{}:control", prefix);
  key_ = fmt::format("{}:revocations", prefix);
  revocations_.set_loaded(false);
  store.attach(*this);
}

// Rounded up: a token of this very moment is not newer than the revocation.
auth::WallTime Control::now() const {
  return std::chrono::ceil<std::chrono::milliseconds>(timers_.now().wall);
}

// --- what this instance is asked ---

// What has ended makes room before there is too much.
Revocations::Change Control::add(const auth::Revocation& revocation, std::size_t max) {
  const auto change = revocations_.add(revocation, max);
  if (change.kind != Revocations::Change::Kind::Full) return change;
  revocations_.forget_ended(now(), forgotten_at_a_time);
  return revocations_.add(revocation, max);
}

void Control::revoke(const RevocationRequest& request, const proxy::IpAddress& asked_by,
                     Answer answer) {
  const auto at = now();
  const auto change = add(
      request.of_subject ? auth::revoke_subject(request.name, request.issued_before.value_or(at),
                                                at, longest_token_)
                         : auth::revoke_token(request.name, at, longest_token_),
      asked_max);
  if (change.kind == Revocations::Change::Kind::Full) return answer(Outcome::TooMany);
  sweeps_.revoked(change.now, asked_by);
  // Both the question and its answer want it, and only one of them will need it.
  const auto kept = std::make_shared<Answer>(std::move(answer));
  const bool asked = store(change, [kept](const RedisReply* reply) {
    (*kept)(reply && reply->integer() ? Outcome::Stored : Outcome::Unstored);
  });
  if (!asked) (*kept)(Outcome::Unstored);
}

void Control::close_elsewhere(const ConnectionId& connection,
                              std::move_only_function<void(Elsewhere)> answer) {
  if (!store_) return answer(Elsewhere::Nobody);
  const auto kept = std::make_shared<decltype(answer)>(std::move(answer));
  const bool asked =
      store_->ask({"PUBLISH", channel_, write_close(connection)}, [kept](const RedisReply* reply) {
        const auto heard = reply ? reply->integer() : std::nullopt;
        if (!heard) return (*kept)(Elsewhere::Unreachable);
        // This instance is one of those that hear it.
        (*kept)(*heard > 1 ? Elsewhere::Told : Elsewhere::Nobody);
      });
  if (!asked) (*kept)(Elsewhere::Unreachable);
}

// --- what it hears ---

// Whoever can write to Redis can revoke, and cannot say anything else (SECURITY 23).
void Control::on_text(std::string_view text) {
  if (const auto connection = read_close(text)) {
    if (!sweeps_.close(*connection)) drop();
    return;
  }
  const auto revocation = auth::read_revocation(text);
  revocation ? hear(*revocation) : drop();
}

void Control::hear(const auth::Revocation& revocation) {
  if (revocation.until <= now()) return;
  const auto change = add(revocation, Revocations::revocations_max);
  if (change.kind == Revocations::Change::Kind::Full) return give_up_full();
  if (change.kind == Revocations::Change::Kind::New) sweeps_.revoked(change.now, std::nullopt);
  revocations_.mark_stored(revocation);
}

// What it cannot keep might be asked for: nobody is let in until all of it is there.
void Control::give_up_full() {
  revocations_.set_loaded(false);
  if (state_ != State::Down) store_->give_up("too_many_revocations");
}

// --- loading ---

// From here on the channel is heard: what comes into the set while it is read is heard there.
void Control::on_up() {
  state_ = State::Loading;
  members_ = 0;
  storing_ = 0;
  revocations_.doubt_stored();
  // Else a set of what has ended long ago could grow to more than is read, and stay so.
  if (!remove_ended()) return store_->give_up("busy");
  scan("0");
}

// ZSCAN: whatever is in the set from its beginning to its end is given at least once, however much
// comes and goes meanwhile.
void Control::scan(std::string_view cursor) {
  const bool asked = store_->ask({"ZSCAN", key_, cursor, "COUNT", fmt::to_string(slice)},
                                 [this](const RedisReply* reply) {
                                   if (reply) on_scanned(*reply);  // else on_down() comes
                                 });
  if (!asked) store_->give_up("busy");
}

void Control::on_scanned(const RedisReply& reply) {
  if (const auto error = reply.error()) return store_->give_up(*error);
  const auto cursor = reply.elements() == 2 ? reply.at(0).text() : std::nullopt;
  if (!cursor) return store_->give_up("bad_reply");
  const auto members = reply.at(1);
  // What is no list must not pass for an empty one.
  if (!members.list()) return store_->give_up("bad_reply");
  for (std::size_t i = 0; i < members.elements(); i += 2) {
    if (!load(members.at(i).text().value_or(""))) return give_up_full();
  }
  sweeps_.look();
  *cursor == "0" ? on_loaded() : scan(*cursor);
}

bool Control::load(std::string_view member) {
  if (++members_ > members_max) return false;
  const auto revocation = auth::read_revocation(member);
  if (!revocation) {
    drop();
    return true;
  }
  if (revocation->until <= now()) return true;
  const auto change = add(*revocation, Revocations::revocations_max);
  if (change.kind == Revocations::Change::Kind::Full) return false;
  revocations_.mark_stored(*revocation);
  return true;
}

void Control::on_loaded() {
  revocations_.set_loaded(true);
  audit_.revocations_loaded(revocations_.size(), invalid());
  store_missing();
}

// --- storing ---

bool Control::store(const Revocations::Change& change, proxy::Store::Answer answer) {
  if (!store_) return false;
  const auto text = auth::write_revocation(change.now);
  const auto score = score_of(change.now.until);
  const auto before = change.before ? auth::write_revocation(*change.before) : std::string();
  std::vector<std::string_view> command{"EVAL", store_script, "1", key_, channel_, score, text};
  if (change.before) command.push_back(before);
  return store_->ask(command, [this, revocation = change.now,
                               answer = std::move(answer)](const RedisReply* reply) mutable {
    if (reply && reply->integer()) revocations_.mark_stored(revocation);
    answer(reply);
  });
}

// What is known here and was not in the set. Each is tried once: the next time is tidy()'s.
void Control::store_missing() {
  const auto missing = revocations_.unstored(slice);
  if (missing.empty()) return finish_storing();
  storing_ = missing.size();
  storing_fails_ = false;
  for (const auto& revocation : missing) {
    const bool asked =
        store({Revocations::Change::Kind::New, revocation}, [this](const RedisReply* reply) {
          if (reply) on_missing_stored(reply->integer().has_value());
        });
    if (!asked) on_missing_stored(false);
  }
}

void Control::on_missing_stored(bool stored) {
  if (!stored) storing_fails_ = true;
  if (--storing_ > 0) return;
  storing_fails_ ? finish_storing() : store_missing();
}

// A Redis that takes nothing has been read as a whole.
void Control::finish_storing() {
  if (std::exchange(state_, State::Up) == State::Loading) store_->settled();
}

// --- what has ended, and what is lost ---

void Control::tidy() {
  const bool more = revocations_.forget_ended(now(), forgotten_at_a_time);
  tidy_.arm(more ? std::chrono::seconds(0) : tidy_interval);
  if (!more && state_ == State::Up && storing_ == 0) tidy_store();
}

bool Control::remove_ended() {
  return store_->ask({"ZREMRANGEBYSCORE", key_, "-inf", score_of(now())}, [](const RedisReply*) {});
}

// A Redis that was emptied, or went back to what it had on its disk, has fewer than it was given.
// What ends soon does not count: another instance may have removed it by its own clock.
void Control::tidy_store() {
  const auto soon = now() + auth::clocks_apart_max;
  const auto expected = static_cast<std::int64_t>(revocations_.stored_until_after(soon));
  const bool asked =
      remove_ended() && store_->ask({"ZCOUNT", key_, fmt::format("({}", score_of(soon)), "+inf"},
                                    [this, expected](const RedisReply* reply) {
                                      const auto there = reply ? reply->integer() : std::nullopt;
                                      if (!there || storing_ > 0) return;
                                      if (*there < expected) revocations_.doubt_stored();
                                      store_missing();
                                    });
  static_cast<void>(asked);  // else there is a next time
}

}  // namespace gateway
