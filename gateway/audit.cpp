#include "gateway/audit.h"

#include <algorithm>
#include <bit>
#include <initializer_list>
#include <utility>

namespace gateway {
namespace {

// After as many there is a line again: about an hour of them.
constexpr std::uint64_t key_fetch_failures_per_line_max = 64;

LogLevel level_of(int status) { return status >= 500 ? LogLevel::Warn : LogLevel::Info; }

// A line about a connection begins with whom it is about.
void write(Log& log, LogLevel level, std::string_view event, const AuditedConnection& connection,
           std::initializer_list<LogField> more) {
  const std::string address = connection.address.to_string();
  std::vector<LogField> fields{{"connection", connection.id},
                               {"route", connection.route},
                               {"address", address},
                               {"subject", connection.subject}};
  fields.insert(fields.end(), more);
  log.write(level, event, fields);
}

}  // namespace

std::string_view name_of(ClosedBy by) {
  switch (by) {
    case ClosedBy::Client:
      return "client";
    case ClosedBy::Backend:
      return "backend";
    case ClosedBy::Gateway:
      return "gateway";
  }
  return "gateway";
}

std::string_view name_of(LimitAction action) {
  switch (action) {
    case LimitAction::Error:
      return "error";
    case LimitAction::Drop:
      return "drop";
    case LimitAction::Throttle:
      return "throttle";
    case LimitAction::Close:
      return "close";
    case LimitAction::Refuse:
      return "refuse";
  }
  return "refuse";
}

std::string_view name_of(AuditedLimit limit) {
  switch (limit) {
    case AuditedLimit::ConnectionMessages:
      return "connection_messages";
    case AuditedLimit::ConnectionOctets:
      return "connection_octets";
    case AuditedLimit::IpHandshakes:
      return "ip_handshakes";
    case AuditedLimit::IpConnections:
      return "ip_connections";
    case AuditedLimit::SubjectConnections:
      return "subject_connections";
    case AuditedLimit::SubjectMessages:
      return "subject_messages";
    case AuditedLimit::SubjectTickets:
      return "subject_tickets";
    case AuditedLimit::RoomMessages:
      return "room_messages";
  }
  return "connection_messages";
}

void Audit::connection_opened(const ConnectionOpened& event) {
  if (!log_.enabled(LogLevel::Info)) return;
  write(log_, LogLevel::Info, "connection_opened", event.connection,
        {{"authenticator", event.authenticator},
         {"server", event.server},
         {"subprotocol", event.subprotocol},
         {"worker", event.worker}});
}

void Audit::ticket_made(const AuditedConnection& connection, std::string_view authenticator) {
  if (!log_.enabled(LogLevel::Info)) return;
  write(log_, LogLevel::Info, "ticket_made", connection, {{"authenticator", authenticator}});
}

void Audit::tickets_made_suppressed(std::uint64_t count) {
  log_.write(LogLevel::Info, "ticket_made_suppressed", {{"count", count}});
}

void Audit::connection_refused(const ConnectionRefused& event) {
  const LogLevel level = level_of(event.status);
  if (!log_.enabled(level)) return;
  const LogField reason("reason", event.reason);
  const LogField status("status", event.status);
  const LogField path("path", event.path);
  const LogField detail("detail", event.detail);
  constexpr std::string_view name = "connection_refused";
  if (event.code == 0) {
    write(log_, level, name, event.connection, {reason, status, path, detail});
  } else {
    write(log_, level, name, event.connection,
          {reason, status, {"code", event.code}, path, detail});
  }
}

void Audit::refusals_suppressed(LogLevel level, std::string_view reason, std::uint64_t count) {
  log_.write(level, "connection_refused_suppressed", {{"reason", reason}, {"count", count}});
}

void Audit::connection_closed(const ConnectionClosed& event) {
  if (!log_.enabled(LogLevel::Info)) return;
  write(log_, LogLevel::Info, "connection_closed", event.connection,
        {{"code", event.code},
         {"by", name_of(event.by)},
         {"reason", event.reason},
         {"client_messages", event.from_client.messages},
         {"client_octets", event.from_client.octets},
         {"backend_messages", event.from_backend.messages},
         {"backend_octets", event.from_backend.octets},
         {"duration_ms", event.duration.count()}});
}

void Audit::message_refused(const MessageRefused& event) {
  if (!log_.enabled(LogLevel::Info)) return;
  write(log_, LogLevel::Info, "message_refused", event.connection,
        {{"reason", event.reason}, {"room", event.room}});
}

void Audit::message_refusals_suppressed(std::string_view reason, std::uint64_t count) {
  log_.write(LogLevel::Info, "message_refused_suppressed", {{"reason", reason}, {"count", count}});
}

void Audit::token_refreshed(const TokenRefreshed& event) {
  if (!log_.enabled(LogLevel::Info)) return;
  write(log_, LogLevel::Info, "token_refreshed", event.connection,
        {{"authenticator", event.authenticator}, {"rooms_lost", event.rooms_lost}});
}

void Audit::session_changed(const SessionChanged& event) {
  if (!log_.enabled(LogLevel::Info)) return;
  write(log_, LogLevel::Info, "session_changed", event.connection,
        {{"authenticator", event.authenticator}, {"rooms_lost", event.rooms_lost}});
}

void Audit::token_refreshes_suppressed(std::uint64_t count) {
  log_.write(LogLevel::Info, "token_refreshed_suppressed", {{"count", count}});
}

void Audit::limit_hit(const LimitHit& event) {
  if (!log_.enabled(LogLevel::Info)) return;
  write(log_, LogLevel::Info, "limit_hit", event.connection,
        {{"limit", name_of(event.limit)},
         {"action", name_of(event.action)},
         {"suppressed", event.suppressed}});
}

void Audit::limit_hits_suppressed(AuditedLimit limit, std::uint64_t count) {
  log_.write(LogLevel::Info, "limit_hit_suppressed", {{"limit", name_of(limit)}, {"count", count}});
}

void Audit::claims_left_out(const AuditedConnection& connection, std::size_t octets) {
  if (!log_.enabled(LogLevel::Warn)) return;
  write(log_, LogLevel::Warn, "claims_left_out", connection, {{"octets", octets}});
}

void Audit::claims_left_out_suppressed(std::uint64_t count) {
  log_.write(LogLevel::Warn, "claims_left_out_suppressed", {{"count", count}});
}

void Audit::admin_call(const AdminCallMade& event) {
  if (!log_.enabled(LogLevel::Info)) return;
  const std::string address = event.address.to_string();
  log_.write(LogLevel::Info, "admin_call",
             {{"address", address},
              {"action", event.action},
              {"connection", event.connection},
              {"room", event.room},
              {"space", event.space},
              {"subject", event.subject},
              {"status", event.status}});
}

void Audit::revoked(const Revoked& event) {
  if (!log_.enabled(LogLevel::Info)) return;
  const std::string address = event.asked_by ? event.asked_by->to_string() : std::string();
  log_.write(LogLevel::Info, "revoked",
             {{"subject", event.subject},
              {"token_id", event.token_id},
              {"address", address},
              {"closed", event.closed}});
}

void Audit::revocations_suppressed(std::uint64_t count) {
  log_.write(LogLevel::Info, "revoked_suppressed", {{"count", count}});
}

void Audit::revocations_loaded(std::size_t live, std::uint64_t invalid) {
  log_.write(LogLevel::Info, "revocations_loaded", {{"live", live}, {"invalid", invalid}});
}

void Audit::keys_fetched(const KeySetStatus& set, bool notable) {
  const LogLevel level = !notable           ? LogLevel::Debug
                         : set.left_out > 0 ? LogLevel::Warn
                                            : LogLevel::Info;
  log_.write(level, "keys_fetched",
             {{"authenticator", set.authenticator},
              {"from", set.origin},
              {"keys", set.keys},
              {"left_out", set.left_out},
              {"first_left_out", set.first_left_out}});
}

void Audit::key_fetch_failed(const KeySetStatus& set, proxy::MonotonicTime now) {
  if (!std::has_single_bit(set.failures_in_a_row) &&
      set.failures_in_a_row % key_fetch_failures_per_line_max != 0) {
    return;
  }
  std::vector<LogField> fields{{"authenticator", set.authenticator},
                               {"from", set.origin},
                               {"reason", set.last_error},
                               {"failures", set.failures_in_a_row},
                               {"keys", set.keys}};
  if (set.fetched) {
    const auto age = std::chrono::floor<std::chrono::seconds>(now - *set.fetched);
    fields.emplace_back("age_s", age.count());
  }
  log_.write(LogLevel::Warn, "key_fetch_failed", fields);
}

void Audit::redis_away(std::string_view reason) {
  log_.write(LogLevel::Warn, "redis_away", {{"reason", reason}});
}

void Audit::redis_back(std::uint64_t lost) {
  log_.write(LogLevel::Info, "redis_back", {{"publications_lost", lost}});
}

void Audit::sharing_refused(std::string_view what, std::string_view reason) {
  log_.write(LogLevel::Warn, "global_limits_refused", {{"what", what}, {"reason", reason}});
}

void Audit::sharing_back(std::string_view what) {
  log_.write(LogLevel::Info, "global_limits_back", {{"what", what}});
}

void Audit::session_store_away(std::string_view store, std::string_view reason) {
  log_.write(LogLevel::Warn, "session_store_away", {{"store", store}, {"reason", reason}});
}

void Audit::session_store_back(std::string_view store) {
  log_.write(LogLevel::Info, "session_store_back", {{"store", store}});
}

void Audit::deposits_refused(std::string_view reason) {
  log_.write(LogLevel::Error, "single_use_refused", {{"reason", reason}});
}

void Audit::policy_reloaded(const PolicyReloaded& event) {
  log_.write(LogLevel::Info, "policy_reloaded",
             {{"asked_by", event.asked_by},
              {"warnings", event.warnings},
              {"connections", event.asked},
              {"closed", event.closed},
              {"rooms_left", event.rooms_left},
              {"duration_ms", event.duration.count()}});
}

void Audit::policy_reload_failed(std::string_view asked_by, std::size_t faults) {
  log_.write(LogLevel::Error, "policy_reload_failed", {{"asked_by", asked_by}, {"faults", faults}});
}

void Audit::policy_fault(std::string_view what) {
  log_.write(LogLevel::Error, "policy_fault", {{"fault", what}});
}

void Audit::policy_warning(std::string_view what) {
  log_.write(LogLevel::Warn, "policy_warning", {{"warning", what}});
}

void Audit::started(std::string_view version, std::string_view listen, std::string_view admin,
                    unsigned workers) {
  log_.write(LogLevel::Info, "started",
             {{"version", version}, {"listen", listen}, {"admin", admin}, {"workers", workers}});
}

void Audit::ready() { log_.write(LogLevel::Info, "ready"); }

void Audit::draining(std::uint32_t connections) {
  log_.write(LogLevel::Info, "draining", {{"connections", connections}});
}

void Audit::stopped(std::uint32_t connections_cut) {
  log_.write(LogLevel::Info, "stopped", {{"connections_cut", connections_cut}});
}

bool RefusalSampler::take(Sample& sample, std::uint64_t hits) {
  if (sample.written < full_lines_max) {
    ++sample.written;
    return true;
  }
  sample.suppressed += hits;
  lines_suppressed_.add();
  return false;
}

void RefusalSampler::refused(const ConnectionRefused& event, Time now) {
  tick(now);
  if (take(reason_of(event).sample, 1)) audit_.connection_refused(event);
}

void RefusalSampler::limit_hit(const LimitHit& event, Time now) {
  tick(now);
  auto& sample = limits_[static_cast<std::size_t>(event.limit)];
  if (take(sample, 1 + event.suppressed)) audit_.limit_hit(event);
}

void RefusalSampler::message_refused(const MessageRefused& event, Time now) {
  tick(now);
  auto known = std::ranges::find(message_reasons_, event.reason, &MessageReason::name);
  if (known == message_reasons_.end()) known = message_reasons_.insert(known, {event.reason, {}});
  if (take(known->sample, 1)) audit_.message_refused(event);
}

void RefusalSampler::token_refreshed(const TokenRefreshed& event, Time now) {
  tick(now);
  if (take(refreshes_, 1)) audit_.token_refreshed(event);
}

void RefusalSampler::ticket_made(const AuditedConnection& connection,
                                 std::string_view authenticator, Time now) {
  tick(now);
  if (take(tickets_, 1)) audit_.ticket_made(connection, authenticator);
}

void RefusalSampler::claims_left_out(const AuditedConnection& connection, std::size_t octets,
                                     Time now) {
  tick(now);
  if (take(left_out_, 1)) audit_.claims_left_out(connection, octets);
}

void RefusalSampler::tick(Time now) {
  if (now < second_end_) return;
  second_end_ = now + std::chrono::seconds(1);
  finish();
}

void RefusalSampler::finish() {
  for (const Reason& reason : std::exchange(reasons_, {})) {
    if (reason.sample.suppressed > 0) {
      audit_.refusals_suppressed(reason.level, reason.name, reason.sample.suppressed);
    }
  }
  for (const MessageReason& reason : std::exchange(message_reasons_, {})) {
    if (reason.sample.suppressed > 0) {
      audit_.message_refusals_suppressed(reason.name, reason.sample.suppressed);
    }
  }
  const Sample refreshes = std::exchange(refreshes_, {});
  if (refreshes.suppressed > 0) audit_.token_refreshes_suppressed(refreshes.suppressed);
  const Sample tickets = std::exchange(tickets_, {});
  if (tickets.suppressed > 0) audit_.tickets_made_suppressed(tickets.suppressed);
  const Sample left_out = std::exchange(left_out_, {});
  if (left_out.suppressed > 0) audit_.claims_left_out_suppressed(left_out.suppressed);
  for (std::size_t i = 0; i < audited_limits; ++i) {
    const Sample sample = std::exchange(limits_[i], {});
    if (sample.suppressed > 0) {
      audit_.limit_hits_suppressed(static_cast<AuditedLimit>(i), sample.suppressed);
    }
  }
}

RefusalSampler::Reason& RefusalSampler::reason_of(const ConnectionRefused& event) {
  const auto same = [&](const Reason& reason) { return reason.name == event.reason; };
  const auto known = std::find_if(reasons_.begin(), reasons_.end(), same);
  if (known != reasons_.end()) return *known;
  if (reasons_.size() == reasons_max) return reasons_.back();
  reasons_.push_back({event.reason, level_of(event.status), {}});
  if (reasons_.size() == reasons_max) reasons_.back().name = "other";
  return reasons_.back();
}

}  // namespace gateway
