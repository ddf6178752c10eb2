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

// Of the timeout: how long after a heartbeat the next one follows.
constexpr int beats_per_timeout = 5;

// Where there is no randomness all wait equally long, which is no reason to do without Redis.
std::uint32_t random_number() {
  std::array<unsigned char, sizeof(std::uint32_t)> octets{};
  if (!fill_random(octets)) return 0;
  std::uint32_t number = 0;
  for (const auto octet : octets) number = number << 8 | octet;
  return number;
}

bool confirms(const RedisReply& reply, std::string_view what, std::string_view channel) {
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
      beat_late_(timers, [this] { lose("heartbeat_late"); }) {}

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

// The heartbeat's channel first: if that one is refused, nothing else is of use.
void RedisBus::on_ready() {
  if (++ready_ < 2) return;
  state_ = State::Restoring;
  restored_.clear();
  restoring_ = 0;
  subscriptions_->send({"SUBSCRIBE", heartbeat_channel_});
  asked_.push_back({heartbeat_channel_, ++subscription_, true});
  ++restoring_;
}

// So many at a time as Redis serves without making others wait.
void RedisBus::restore() {
  auto next = channels_.upper_bound(restored_);
  for (; next != channels_.end() && restoring_ < batch_max; ++next) {
    ask(next->first, true);
    restored_ = next->first;
  }
  if (restoring_ > 0) return;
  state_ = State::Checking;
  beat();
}

void RedisBus::on_gone(const RedisFailure& failure) {
  using Kind = RedisFailure::Kind;
  // What swallows packets answers as little as what refuses them.
  const bool elsewhere = failure.kind == Kind::Unreachable || failure.kind == Kind::NoAnswer;
  if (state_ == State::Dialling && elsewhere && dialer_.next_address()) {
    drop_connections();
    return dial();
  }
  lose(failure.reason());
}

void RedisBus::lose(std::string_view reason) {
  const bool news = !away() || reason != reason_;
  state_ = State::Waiting;
  drop_connections();
  asked_.clear();
  waiting_octets_ = 0;
  beat_due_.disarm();
  beat_late_.disarm();
  attempt_.arm(backoff_.next(random_number()));
  const auto unknown = std::exchange(published_, {});
  if (news) {
    reason_ = reason;
    observer_->on_away(reason_);
  }
  for (const auto& published : unknown) {
    if (published.octets > 0) observer_->on_published(false);
  }
}

void RedisBus::drop_connections() {
  for (auto* connection : {&commands_, &subscriptions_}) {
    if (!*connection) continue;
    (*connection)->close();
    dropped_.push_back(std::move(*connection));
  }
}

// --- channels ---

void RedisBus::subscribe(std::string_view channel) {
  channels_.try_emplace(std::string(channel), 0);
  if (state_ > State::Dialling) ask(channel, false);
}

void RedisBus::unsubscribe(std::string_view channel) {
  const auto known = channels_.find(channel);
  if (known == channels_.end()) return;
  channels_.erase(known);
  if (state_ <= State::Dialling) return;
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
  if (asked_.empty()) return lose("bad_reply");
  const auto asked = std::move(asked_.front());
  asked_.pop_front();
  const bool refused = reply.error().has_value();
  const auto* what = asked.subscription == 0 ? "unsubscribe" : "subscribe";
  if (!refused && !confirms(reply, what, asked.channel)) return lose("bad_reply");
  if (refused && asked.channel == heartbeat_channel_) return lose(*reply.error());
  if (asked.subscription != 0) on_confirmed(asked, !refused);
  if (!asked.restores || --restoring_ > 0) return;
  if (state_ == State::Restoring) restore();
}

// A channel that was given up meanwhile has no answer, or waits for that of a later SUBSCRIBE.
void RedisBus::on_confirmed(const Asked& asked, bool confirmed) {
  const auto known = channels_.find(asked.channel);
  if (known == channels_.end() || known->second != asked.subscription) return;
  if (!confirmed) channels_.erase(known);
  observer_->on_subscribed(asked.channel, confirmed);
}

// --- publications ---

bool RedisBus::publish(std::string_view channel, std::string_view text) {
  const std::size_t octets = channel.size() + text.size();
  if (away() || octets > waiting_octets_max - waiting_octets_) return false;
  waiting_octets_ += octets;
  published_.push_back({octets});
  commands_->send({"PUBLISH", channel, text});
  return true;
}

void RedisBus::on_published(const RedisReply& reply) {
  const auto error = reply.error();
  // Not taken off yet: lose() answers for all that are there.
  if (published_.empty() || (!error && !reply.integer())) return lose("bad_reply");
  const auto published = published_.front();
  published_.pop_front();
  if (published.octets == 0) {
    if (error) lose(*error);
    return;
  }
  waiting_octets_ -= published.octets;
  observer_->on_published(!error);
}

void RedisBus::on_message(std::string_view channel, std::string_view text) {
  if (channel != heartbeat_channel_) return observer_->on_publication(channel, text);
  if (beat_late_.armed() && text == std::to_string(beat_)) on_beat();
}

// --- the heartbeat ---

void RedisBus::beat() {
  commands_->send({"PUBLISH", heartbeat_channel_, std::to_string(++beat_)});
  published_.push_back({0});
  beat_late_.arm(timeout_);
}

void RedisBus::on_beat() {
  beat_late_.disarm();
  beat_due_.arm(timeout_ / beats_per_timeout);
  if (std::exchange(state_, State::Back) == State::Back) return;
  backoff_.reset();
  reason_.clear();
  observer_->on_back();
}

}  // namespace proxy
