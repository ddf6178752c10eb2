#include "proxy/redis_connection.h"

#include <utility>

namespace proxy {
namespace {

using Kind = RedisFailure::Kind;

// More than this is not kept for the commands of the next iteration.
constexpr std::size_t unsent_octets_kept_max = 64 * 1024;

// What is published to a channel, among the replies to SUBSCRIBE and UNSUBSCRIBE.
bool is_message(const RedisReply& reply) {
  return reply.elements() == 3 && reply.at(0).text() == "message" && reply.at(1).text() &&
         reply.at(2).text();
}

}  // namespace

std::string_view RedisFailure::reason() const {
  switch (kind) {
    case Kind::Unreachable:
      return "cannot_connect";
    case Kind::Lost:
      return "connection_lost";
    case Kind::NoAnswer:
      return "no_answer";
    case Kind::BadReply:
      return "bad_reply";
    case Kind::ErrorReply:
      return error;
  }
  std::unreachable();
}

RedisConnection::RedisConnection(Timers& timers, FlushList& flushes,
                                 std::unique_ptr<Transport> transport, Use use,
                                 const RedisServer& server, Duration timeout, Observer& observer)
    : FlushList::Member(flushes),
      timers_(timers),
      transport_(std::move(transport)),
      use_(use),
      timeout_(timeout),
      observer_(observer),
      answer_due_(timers, [this] { check_answers(); }) {
  transport_->observe(*this);
  transport_->set_reading(true);
  log_in(server);
}

// PING last: what answers it is a Redis that serves, not one that is still loading or wants a
// password that it was not given.
void RedisConnection::log_in(const RedisServer& server) {
  if (!server.password.empty()) {
    if (server.user.empty()) {
      send({"AUTH", server.password});
    } else {
      send({"AUTH", server.user, server.password});
    }
  }
  if (server.database != 0) send({"SELECT", std::to_string(server.database)});
  send({"PING"});
  log_in_left_ = unanswered_.size();
}

void RedisConnection::send(std::span<const std::string_view> command) {
  if (!transport_) return;
  append_redis_command(unsent_, command);
  unanswered_.push_back(timers_.now().monotonic);
  if (!answer_due_.armed()) answer_due_.arm(timeout_);
  flush_later();
}

void RedisConnection::flush() {
  if (!transport_) return;
  transport_->write(unsent_);
  unsent_.clear();
  if (unsent_.capacity() > unsent_octets_kept_max) unsent_ = {};
}

void RedisConnection::on_octets(std::string_view octets) {
  heard_ = true;
  reader_.feed(octets);
  while (transport_) {
    const auto reply = reader_.next();
    if (!reply) return lose({Kind::BadReply});
    if (!*reply) return;
    read(**reply);
  }
}

void RedisConnection::read(const RedisReply& reply) {
  if (use_ == Use::Subscriptions && is_message(reply)) {
    return observer_.on_message(*reply.at(1).text(), *reply.at(2).text());
  }
  if (unanswered_.empty()) return lose({Kind::BadReply});
  unanswered_.pop_front();
  if (log_in_left_ > 0) return read_log_in(reply);
  observer_.on_reply(reply);
}

void RedisConnection::read_log_in(const RedisReply& reply) {
  if (const auto error = reply.error()) return lose({Kind::ErrorReply, std::string(*error)});
  if (--log_in_left_ == 0) observer_.on_ready();
}

// The oldest decides; the timer is not moved at every reply.
void RedisConnection::check_answers() {
  if (unanswered_.empty()) return;
  const Duration waited = timers_.now().monotonic - unanswered_.front();
  if (waited >= timeout_) return lose({Kind::NoAnswer});
  answer_due_.arm(timeout_ - waited);
}

// Which error it was does not tell: the write of the log-in may have met it before a read did.
void RedisConnection::on_gone(TransportError) { lose({heard_ ? Kind::Lost : Kind::Unreachable}); }

void RedisConnection::lose(RedisFailure failure) {
  close();
  observer_.on_gone(failure);
}

void RedisConnection::close() {
  transport_.reset();
  answer_due_.disarm();
}

}  // namespace proxy
