#include "proxy/redis_client.h"

#include "proxy/random.h"

namespace proxy {
namespace {

using namespace std::chrono_literals;

constexpr Duration first_wait = 100ms;
constexpr Duration longest_wait = 5s;

}  // namespace

RedisClient::RedisClient(Timers& timers, FlushList& flushes, Dialer& dialer,
                         const RedisServer& server, Duration timeout, Observer& observer)
    : timers_(timers),
      flushes_(flushes),
      dialer_(dialer),
      server_(server),
      timeout_(timeout),
      observer_(observer),
      backoff_(first_wait, longest_wait),
      attempt_(timers, [this] { look_up(); }),
      lookup_late_(timers, [this] { lose("lookup_late"); }) {}

void RedisClient::start() { attempt_.arm(Duration::zero()); }

void RedisClient::look_up() {
  dropped_.clear();
  looking_ = true;
  lookup_late_.arm(timeout_);
  dialer_.look_up([this] {
    if (looking_) dial();  // else it came too late
  });
}

void RedisClient::dial() {
  looking_ = false;
  lookup_late_.disarm();
  auto stream = dialer_.dial();
  if (!stream) return dialer_.next_address() ? dial() : lose("cannot_connect");
  RedisConnection::Observer& observer = *this;
  connection_ = std::make_unique<RedisConnection>(timers_, flushes_, std::move(stream),
                                                  RedisConnection::Use::Commands, server_, timeout_,
                                                  observer);
}

void RedisClient::on_ready() {
  ready_ = attempted_ = true;
  backoff_.reset();
  for (const auto& command : std::exchange(unsent_, {})) {
    const std::vector<std::string_view> words(command.begin(), command.end());
    connection_->send(words);
  }
  if (!std::exchange(reason_, {}).empty()) observer_.on_back();
}

bool RedisClient::ask(std::span<const std::string_view> command, Answer answer) {
  if (!ready_ && attempted_) return false;
  if (waiting_.size() >= waiting_max) return false;
  if (ready_) {
    connection_->send(command);
  } else {
    unsent_.emplace_back(command.begin(), command.end());
  }
  waiting_.push_back(std::move(answer));
  return true;
}

void RedisClient::on_reply(const RedisReply& reply) {
  auto answer = std::move(waiting_.front());
  waiting_.pop_front();
  answer(&reply);
}

void RedisClient::on_gone(const RedisFailure& failure) {
  using Kind = RedisFailure::Kind;
  const bool elsewhere = failure.kind == Kind::Unreachable || failure.kind == Kind::NoAnswer;
  if (!ready_ && elsewhere && dialer_.next_address()) {
    drop_connection();
    return dial();
  }
  lose(failure.reason());
}

void RedisClient::lose(std::string_view reason) {
  attempted_ = true;
  looking_ = ready_ = false;
  lookup_late_.disarm();
  drop_connection();
  attempt_.arm(backoff_.next(random_number()));
  if (reason != reason_) {
    reason_ = reason;
    observer_.on_away(reason_);
  }
  unsent_.clear();
  for (auto& answer : std::exchange(waiting_, {})) answer(nullptr);
}

void RedisClient::drop_connection() {
  if (!connection_) return;
  connection_->close();
  dropped_.push_back(std::move(connection_));
}

}  // namespace proxy
