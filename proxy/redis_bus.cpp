#include "proxy/redis_bus.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/random.h"

namespace proxy {
namespace {

using namespace std::chrono_literals;

constexpr Duration first_wait = 100ms;
constexpr Duration longest_wait = 5s;

// How long what Redis said before it went is waited for: more than a round trip, and not much more,
// since publications are answered `unavailable` meanwhile.
constexpr Duration ending_max = 100ms;

// Of the timeout: how long after a heartbeat the next one follows.
constexpr int beats_per_timeout = 5;

bool answers(const RedisReply& reply, std::string_view what, std::string_view channel) {
  return reply.elements() == 3 && reply.at(0).text() == what && reply.at(1).text() == channel;
}

}  // namespace

RedisBus::RedisBus(Timers& timers, FlushList& flushes, Dialer& dialer, const RedisServer& server,
                   Duration timeout, std::string heartbeat_channel)
    : timers_(timers),
      flushes_(flushes),
      dialer_(dialer),
      server_(server),
      timeout_(timeout),
      heartbeat_channel_(std::move(heartbeat_channel)),
      backoff_(first_wait, longest_wait),
      attempt_(timers, [this] { look_up(); }),
      lookup_late_(timers, [this] { lose("lookup_late"); }),
      beat_due_(timers, [this] { beat(); }),
      beat_late_(timers, [this] { lose("heartbeat_late"); }),
      give_up_(timers, [this] { lose(std::exchange(given_up_, {})); }),
      ending_late_(timers, [this] { lose("connection_lost"); }) {}

void RedisBus::start(Observer& observer) {
  observer_ = &observer;
  attempt_.arm(Duration::zero());
}

// --- an attempt ---

void RedisBus::look_up() {
  dropped_.clear();
  state_ = State::Dialling;
  lookup_late_.arm(timeout_);
  dialer_.look_up([this] {
    if (state_ == State::Dialling) dial();  // else it came too late
  });
}

void RedisBus::dial() {
  lookup_late_.disarm();
  ready_ = 0;
  auto for_commands = dialer_.dial();
  auto for_subscriptions = dialer_.dial();
  if (!for_commands || !for_subscriptions) {
    return dialer_.next_address() ? dial() : lose("cannot_connect");
  }
  commands_ = std::make_unique<RedisConnection>(timers_, flushes_, std::move(for_commands),
                                                RedisConnection::Use::Commands, server_, timeout_,
                                                on_commands_);
  subscriptions_ = std::make_unique<RedisConnection>(
      timers_, flushes_, std::move(for_subscriptions), RedisConnection::Use::Subscriptions, server_,
      timeout_, on_subscriptions_);
}

// Our own channels before all others: without them nothing else is of use.
void RedisBus::on_ready() {
  if (++ready_ < 2) return;
  state_ = State::Opening;
  open(heartbeat_channel_);
  for (const auto* resident : residents_) {
    if (!resident->channel().empty()) open(resident->channel());
  }
}

void RedisBus::open(std::string_view channel) {
  subscriptions_->send({"SUBSCRIBE", channel});
  asked_.push_back({std::string(channel), ++subscription_, false});
  ++opening_;
}

void RedisBus::on_opened(const RedisReply& reply) {
  const auto error = reply.error();
  if (error) return lose(*error);
  if (--opening_ == 0) on_up();
}

void RedisBus::on_up() {
  state_ = State::Restoring;
  restored_.clear();
  restoring_ = 0;
  unsettled_ = residents_.size();
  restore();
  for (auto* resident : residents_) resident->on_up();
}

// So many at a time as Redis serves without making others wait.
void RedisBus::restore() {
  auto next = channels_.upper_bound(restored_);
  for (; next != channels_.end() && restoring_ < batch_max; ++next) {
    ask(next->first, true);
    restored_ = next->first;
  }
  check();
}

void RedisBus::settled() {
  --unsettled_;
  check();
}

void RedisBus::check() {
  if (state_ != State::Restoring || restoring_ > 0 || unsettled_ > 0) return;
  state_ = State::Checking;
  beat();
}

// Not from within the resident's call: others are told of it.
void RedisBus::give_up(std::string_view reason) {
  given_up_ = reason;
  give_up_.arm(Duration::zero());
}

// What others hear of a publication that was answered is on its way here too, and comes before all
// that is published here alone. PING: its reply ends what comes, if the connection itself does not.
void RedisBus::on_commands_gone(const RedisFailure& failure) {
  if (state_ != State::Back || failure.kind != RedisFailure::Kind::Lost) return on_gone(failure);
  state_ = State::Ending;
  beat_due_.disarm();
  beat_late_.disarm();
  drop(commands_);
  subscriptions_->send({"PING"});
  ending_late_.arm(ending_max);
  tell_lost();
}

void RedisBus::on_gone(const RedisFailure& failure) {
  using Kind = RedisFailure::Kind;
  // What swallows packets answers as little as what refuses them.
  const bool elsewhere = failure.kind == Kind::Unreachable || failure.kind == Kind::NoAnswer;
  if (state_ == State::Dialling && elsewhere && dialer_.next_address()) {
    drop(commands_);
    drop(subscriptions_);
    return dial();
  }
  lose(failure.reason());
}

void RedisBus::lose(std::string_view reason) {
  if (state_ == State::Ending) reason = "connection_lost";  // whatever ended the other one
  const bool news = !away() || reason != reason_;
  const bool was_up = state_ >= State::Restoring;
  state_ = State::Waiting;
  drop(commands_);
  drop(subscriptions_);
  asked_.clear();
  opening_ = 0;
  beat_due_.disarm();
  beat_late_.disarm();
  give_up_.disarm();
  ending_late_.disarm();
  attempt_.arm(backoff_.next(random_number()));
  if (news) {
    reason_ = reason;
    observer_->on_away(reason_);
  }
  tell_lost();
  if (!was_up) return;
  for (auto* resident : residents_) resident->on_down();
}

void RedisBus::tell_lost() {
  waiting_octets_ = 0;
  for (auto& waiting : std::exchange(waiting_, {})) {
    if (waiting.kind == Waiting::Kind::Publication) observer_->on_published(false);
    if (waiting.kind == Waiting::Kind::Question) waiting.answer(nullptr);
  }
}

void RedisBus::drop(std::unique_ptr<RedisConnection>& connection) {
  if (!connection) return;
  connection->close();
  dropped_.push_back(std::move(connection));
}

// --- channels ---

void RedisBus::subscribe(std::string_view channel) {
  channels_.try_emplace(std::string(channel), 0);
  if (up()) ask(channel, false);
}

void RedisBus::unsubscribe(std::string_view channel) {
  const auto known = channels_.find(channel);
  if (known == channels_.end()) return;
  channels_.erase(known);
  if (!up()) return;
  subscriptions_->send({"UNSUBSCRIBE", channel});
  asked_.push_back({std::string(channel), 0, false});
}

void RedisBus::ask(std::string_view channel, bool restores) {
  channels_.find(channel)->second = ++subscription_;
  subscriptions_->send({"SUBSCRIBE", channel});
  asked_.push_back({std::string(channel), subscription_, restores});
  if (restores) ++restoring_;
}

void RedisBus::on_subscription(const RedisReply& reply) {
  if (asked_.empty()) return lose("bad_reply");  // or the end of Ending
  const auto asked = std::move(asked_.front());
  asked_.pop_front();
  const bool refused = reply.error().has_value();
  const auto* what = asked.subscription == 0 ? "unsubscribe" : "subscribe";
  if (!refused && !answers(reply, what, asked.channel)) return lose("bad_reply");
  if (opening_ > 0) return on_opened(reply);
  if (asked.subscription != 0) on_confirmed(asked, !refused);
  if (asked.restores && --restoring_ == 0 && state_ == State::Restoring) restore();
  if (state_ == State::Settling && asked.subscription >= settled_at_) settle();
}

// A channel that was given up meanwhile has no answer, or waits for that of a later SUBSCRIBE.
void RedisBus::on_confirmed(const Asked& asked, bool confirmed) {
  const auto known = channels_.find(asked.channel);
  if (known == channels_.end() || known->second != asked.subscription) return;
  if (!confirmed) channels_.erase(known);
  observer_->on_subscribed(asked.channel, confirmed);
}

// --- commands ---

bool RedisBus::publish(std::string_view channel, std::string_view text) {
  const std::array<std::string_view, 3> command{"PUBLISH", channel, text};
  return state_ == State::Back && send(Waiting::Kind::Publication, command, {});
}

bool RedisBus::ask(std::span<const std::string_view> command, Answer answer) {
  return up() && send(Waiting::Kind::Question, command, std::move(answer));
}

bool RedisBus::send(Waiting::Kind kind, std::span<const std::string_view> command, Answer answer) {
  std::size_t octets = 0;
  for (const auto word : command.subspan(1)) octets += word.size();
  if (octets > waiting_octets_max - waiting_octets_) return false;
  waiting_octets_ += octets;
  waiting_.push_back({kind, octets, std::move(answer)});
  commands_->send(command);
  return true;
}

void RedisBus::on_answer(const RedisReply& reply) {
  using Kind = Waiting::Kind;
  const auto error = reply.error();
  // Not taken off yet: lose() answers for all that are there.
  if (waiting_.empty()) return lose("bad_reply");
  const bool publishes = waiting_.front().kind != Kind::Question;
  if (publishes && !error && !reply.integer()) return lose("bad_reply");
  auto waiting = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_octets_ -= waiting.octets;
  switch (waiting.kind) {
    case Kind::Heartbeat:
      if (error) lose(*error);
      return;
    case Kind::Publication:
      return observer_->on_published(!error);
    case Kind::Question:
      return waiting.answer(&reply);
  }
}

void RedisBus::on_message(std::string_view channel, std::string_view text) {
  if (channel == heartbeat_channel_) {
    if (beat_late_.armed() && text == std::to_string(beat_)) on_beat();
    return;
  }
  for (auto* resident : residents_) {
    if (channel == resident->channel()) return resident->on_text(text);
  }
  observer_->on_publication(channel, text);
}

// --- the heartbeat ---

void RedisBus::beat() {
  beat_at_ = timers_.now().monotonic;
  commands_->send({"PUBLISH", heartbeat_channel_, std::to_string(++beat_)});
  waiting_.push_back({Waiting::Kind::Heartbeat, 0});
  beat_late_.arm(timeout_);
}

void RedisBus::on_beat() {
  round_trips_.observe(timers_.now().monotonic - beat_at_);
  beat_late_.disarm();
  beat_due_.arm(timeout_ / beats_per_timeout);
  if (state_ != State::Checking) return;
  state_ = State::Settling;
  settled_at_ = subscription_;
  const bool subscribing =
      std::ranges::any_of(asked_, [](const Asked& a) { return a.subscription; });
  if (!subscribing) settle();
}

// Whoever joined while the bus was away has been told so, and hears all that is published from here
// on: Redis may take up what comes on the one connection before what came first on the other.
void RedisBus::settle() {
  state_ = State::Back;
  backoff_.reset();
  reason_.clear();
  observer_->on_back();
}

}  // namespace proxy
