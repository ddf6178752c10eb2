#include "gateway/session.h"

#include <algorithm>
#include <utility>

namespace gateway {

using proxy::Relay;
using proxy::Verdict;

namespace {

// One line a second and connection says that a limit is hit, and how often it was.
constexpr std::chrono::seconds limit_report_interval{1};

// A wait is rounded up to what the loop's clock can tell.
constexpr std::chrono::milliseconds throttle_wait_min{1};

std::string_view name_of(const proxy::Ending& ending, Relay::Side side) {
  bool client = side == Relay::Side::Client;
  switch (ending.cause) {
    case proxy::Ending::Cause::Closed:
      return client ? "client_closed" : "backend_closed";
    case proxy::Ending::Cause::Vanished:
      return client ? "client_vanished" : "backend_gone";
    case proxy::Ending::Cause::NoPong:
      return client ? "client_no_pong" : "backend_no_pong";
    case proxy::Ending::Cause::Stalled:
      return client ? "client_stalled" : "backend_stalled";
    case proxy::Ending::Cause::Refused:
      return row_of(Goodbye::LimitExceeded).name;
    case proxy::Ending::Cause::ProtocolError:
      break;
  }
  switch (ending.close.code) {
    case proxy::StatusCode::InvalidPayload:
      return client ? "invalid_utf8" : "backend_invalid_utf8";
    case proxy::StatusCode::MessageTooBig:
      return "message_too_big";
    case proxy::StatusCode::PolicyViolation:
      return "too_many_frames";
    default:
      return client ? "protocol_error" : "backend_protocol_error";
  }
}

// Who ended it, in the audit's words: an error that this end found is its own closing.
ClosedBy closed_by(const proxy::Ending& ending, Relay::Side side) {
  bool peers_own = ending.cause == proxy::Ending::Cause::Closed ||
                   ending.cause == proxy::Ending::Cause::Vanished;
  if (!peers_own) return ClosedBy::Gateway;
  return side == Relay::Side::Client ? ClosedBy::Client : ClosedBy::Backend;
}

Traffic traffic(const proxy::Tally& tally) { return {tally.messages, tally.octets}; }

}  // namespace

Session::Session(Host& host, AdmittedClient client, const proxy::RelaySettings& settings)
    : host_(host),
      policy_(std::move(client.policy)),
      identity_(std::move(client.identity)),
      holdings_(std::move(client.holdings)),
      good_until_(client.good_until),
      opened_(host.timers().now().monotonic),
      messages_(identity_.route->connection_limits.messages, opened_),
      octets_(identity_.route->connection_limits.octets, opened_),
      token_end_(host.timers(), [this] { say_goodbye(Goodbye::TokenEnded, {}); }),
      relay_(std::move(client.client), std::move(client.backend), settings, host.timers(),
             host.flushes(), *this) {
  if (good_until_) {
    auto left = *good_until_ - host.timers().now().wall;
    token_end_.arm(std::max<proxy::Duration>(left, proxy::Duration::zero()));
  }
}

void Session::start(std::string_view early_from_client, std::string_view early_from_backend) {
  relay_.start(early_from_client, early_from_backend);
}

void Session::check_token_end() {
  if (token_end_.armed() && host_.timers().now().wall >= *good_until_) {
    say_goodbye(Goodbye::TokenEnded, {});
  }
}

void Session::drain(std::string_view reason) { say_goodbye(Goodbye::Draining, reason); }

// A message is charged once, at the header of its first frame; octets as headers arrive (CONTRACT
// 4, "Limits").
Verdict Session::admit(const proxy::FrameHeader& frame) {
  const auto& limits = identity_.route->connection_limits;
  auto now = host_.timers().now().monotonic;
  bool begins_message = frame.opcode != proxy::Opcode::Continuation;
  if (begins_message && !message_charged_ && limits.messages.limited()) {
    if (!messages_.take(limits.messages, now)) {
      return exceed(AuditedLimit::ConnectionMessages, begins_message,
                    messages_.wait_for(limits.messages, now));
    }
    message_charged_ = true;
  }
  auto octets = static_cast<double>(frame.payload_octets);
  if (limits.octets.limited() && !octets_.take(limits.octets, now, octets)) {
    return exceed(AuditedLimit::ConnectionOctets, begins_message,
                  octets_.wait_for(limits.octets, now, octets));
  }
  message_charged_ = false;
  return {};
}

// The same at once, where both buckets have enough for every one of them.
bool Session::admit_all(const proxy::Tally& messages) {
  if (message_charged_) return false;  // of the first only the octets are owed
  const auto& limits = identity_.route->connection_limits;
  auto now = host_.timers().now().monotonic;
  auto count = static_cast<double>(messages.messages);
  auto octets = static_cast<double>(messages.octets);
  if (!messages_.holds(limits.messages, now, count)) return false;
  if (!octets_.holds(limits.octets, now, octets)) return false;
  return messages_.take(limits.messages, now, count) && octets_.take(limits.octets, now, octets);
}

Verdict Session::judge(Relay::Side, const proxy::Message&) { return {}; }

Verdict Session::exceed(AuditedLimit limit, bool begins_message, proxy::Duration wait) {
  switch (identity_.route->connection_limits.on_exceed) {
    case OnExceed::Throttle:
      report_limit(limit, LimitAction::Throttle);
      return {Verdict::Kind::Hold, std::max<proxy::Duration>(wait, throttle_wait_min)};
    case OnExceed::Drop:
      // Of a message whose beginning has gone on nothing can be dropped.
      if (!begins_message) break;
      message_charged_ = false;
      report_limit(limit, LimitAction::Drop);
      return {Verdict::Kind::Swallow};
    case OnExceed::Error:  // the policy has it only where messages are read
    case OnExceed::Close:
      break;
  }
  report_limit(limit, LimitAction::Close);
  const auto& row = row_of(Goodbye::LimitExceeded);
  return {Verdict::Kind::Close, {}, row.code, row.reason};
}

void Session::report_limit(AuditedLimit limit, LimitAction action) {
  limit_hit_ = limit;
  limit_action_ = action;
  ++limit_hits_unreported_;
  auto now = host_.timers().now().monotonic;
  if (!limit_reported_ || now - *limit_reported_ >= limit_report_interval) write_limit_line();
}

// Stands for all hits since the last such line.
void Session::write_limit_line() {
  auto now = host_.timers().now().monotonic;
  limit_reported_ = now;
  auto suppressed = std::exchange(limit_hits_unreported_, 0) - 1;
  host_.refusals().limit_hit({identity_.audited(), limit_hit_, limit_action_, suppressed}, now);
}

void Session::say_goodbye(Goodbye goodbye, std::string_view reason) {
  const auto& row = row_of(goodbye);
  if (!relay_.open()) return;
  relay_.close(row.code, reason.empty() ? row.reason : reason);
  record_end(static_cast<std::uint16_t>(row.code), ClosedBy::Gateway, row.name);
}

void Session::on_ending(Relay::Side first, const proxy::Ending& ending, const proxy::Close& told) {
  bool vanished = first == Relay::Side::Client && ending.cause == proxy::Ending::Cause::Vanished;
  auto code = vanished ? std::uint16_t{0} : static_cast<std::uint16_t>(told.code);
  record_end(code, closed_by(ending, first), name_of(ending, first));
}

void Session::record_end(std::uint16_t code, ClosedBy by, std::string_view reason) {
  token_end_.disarm();
  if (limit_hits_unreported_ > 0) write_limit_line();
  auto duration = host_.timers().now().monotonic - opened_;
  host_.audit().connection_closed(
      {identity_.audited(), code, by, reason, traffic(relay_.tally(Relay::Side::Client)),
       traffic(relay_.tally(Relay::Side::Backend)),
       std::chrono::duration_cast<std::chrono::milliseconds>(duration)});
}

// Its socket is closed, so it counts no more, although the backend may still have to answer.
void Session::on_client_gone() { holdings_ = {}; }

void Session::on_gone() { host_.retire(*this); }

}  // namespace gateway
