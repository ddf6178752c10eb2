// The audit trail: what happened to whom, one line of the log each. The names of events and fields
// are here and nowhere else. No function takes a token, a cookie, a query or any other field of a
// request: what never comes in needs no redaction.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "gateway/key_set_status.h"
#include "gateway/log.h"
#include "proxy/address.h"
#include "proxy/counter.h"

namespace gateway {

// Whom a line is about. What is not known yet is empty, and left out of the line.
struct AuditedConnection {
  std::string_view id = {};     // X-Gatehouse-Connection
  std::string_view route = {};  // its path pattern
  proxy::IpAddress address = {};
  std::string_view subject = {};
};

// The client has its 101.
struct ConnectionOpened {
  AuditedConnection connection = {};
  std::string_view authenticator = {};
  std::string_view server = {};       // of the backend, as the policy wrote it
  std::string_view subprotocol = {};  // empty: none
  unsigned worker = 0;
};

// Any answer but 101, or a 101 and a Close before there is a session.
struct ConnectionRefused {
  AuditedConnection connection = {};
  std::string_view reason = {};  // the true one, a word of static life: "bad_signature", "no_route"
  int status = 0;                // what it was answered; 0: nothing could be
  std::uint16_t code = 0;        // of the Close that said so instead; 0: there was none
  std::string_view path = {};    // decoded, without the query; empty where none was read
  std::string_view detail = {};  // of ours: which server failed and how; never what the client sent
};

enum class ClosedBy : std::uint8_t { Client, Backend, Gateway };
inline constexpr std::size_t closers = 3;
std::string_view name_of(ClosedBy by);

struct Traffic {
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;  // of payload
};

struct ConnectionClosed {
  AuditedConnection connection = {};
  std::uint16_t code = 0;  // RFC 6455 section 7.4.1; 0: it went without a Close
  ClosedBy by = ClosedBy::Gateway;
  std::string_view reason = {};  // a word of ours: "token_expired"; not the text in the Close
  Traffic from_client = {};
  Traffic from_backend = {};
  std::chrono::milliseconds duration{0};
};

enum class AuditedLimit : std::uint8_t {
  ConnectionMessages,
  ConnectionOctets,
  IpHandshakes,
  IpConnections,
  SubjectConnections,
  SubjectMessages,
  SubjectTickets,
  RoomMessages,
};
inline constexpr std::size_t audited_limits = 8;
std::string_view name_of(AuditedLimit limit);

enum class LimitAction : std::uint8_t { Error, Drop, Throttle, Close, Refuse };
inline constexpr std::size_t limit_actions = 5;
std::string_view name_of(LimitAction action);

struct LimitHit {
  AuditedConnection connection = {};
  AuditedLimit limit = AuditedLimit::ConnectionMessages;
  LimitAction action = LimitAction::Drop;
  std::uint64_t suppressed = 0;  // hits of this connection since its last line, not written
};

// A client's token has been replaced by another of the same subject and issuer.
struct TokenRefreshed {
  AuditedConnection connection = {};
  std::string_view authenticator = {};
  std::size_t rooms_lost = 0;  // to its claims
};

// A client's login session has other claims than it had. No more often than it is looked at.
struct SessionChanged {
  AuditedConnection connection = {};
  std::string_view authenticator = {};
  std::size_t rooms_lost = 0;  // to its claims
};

// A message that may not go on, from either side; not one that is over a limit.
struct MessageRefused {
  AuditedConnection connection = {};
  std::string_view reason = {};  // a word of static life: "access_denied", "not_a_member"
  std::string_view room = {};    // as the client named it; empty: none was read
};

// Somebody used the admin API to change something.
struct AdminCallMade {
  proxy::IpAddress address = {};
  std::string_view action = {};      // a word of static life: "close", "publish", "revoke"
  std::string_view connection = {};  // what it was done to: what is not said is left out
  std::string_view room = {};
  std::string_view space = {};
  std::string_view subject = {};
  int status = 0;  // what it was answered
};

// Something was revoked, and all that it met on this instance has been closed.
struct Revoked {
  std::string_view subject = {};  // one of the two; the other is left out
  std::string_view token_id = {};
  std::optional<proxy::IpAddress> asked_by = {};  // none: another instance was asked
  std::uint64_t closed = 0;
};

// A policy has come into force in place of another.
struct PolicyReloaded {
  std::string_view asked_by = {};  // a word of static life: "signal", "api", "watch"
  std::size_t warnings = 0;
  std::uint64_t asked = 0;       // connections that were open
  std::uint64_t closed = 0;      // of them
  std::uint64_t rooms_left = 0;  // by the others
  std::chrono::milliseconds duration{0};
};

// From any thread; as cheap as a comparison where the log's level leaves the line out.
// Refusals are Info, or Warn where the fault is on our side (5xx).
class Audit {
 public:
  explicit Audit(Log& log) : log_(log) {}

  void connection_opened(const ConnectionOpened& event);
  void connection_refused(const ConnectionRefused& event);
  // Who may connect has got a ticket that opens one connection.
  void ticket_made(const AuditedConnection& connection, std::string_view authenticator);
  void tickets_made_suppressed(std::uint64_t count);
  void refusals_suppressed(LogLevel level, std::string_view reason, std::uint64_t count);
  void connection_closed(const ConnectionClosed& event);
  void message_refused(const MessageRefused& event);
  void message_refusals_suppressed(std::string_view reason, std::uint64_t count);
  void token_refreshed(const TokenRefreshed& event);
  void session_changed(const SessionChanged& event);
  void token_refreshes_suppressed(std::uint64_t count);
  void limit_hit(const LimitHit& event);
  void limit_hits_suppressed(AuditedLimit limit, std::uint64_t count);
  // X-Gatehouse-Claims would have been too long for the backend, which gets none.
  void claims_left_out(const AuditedConnection& connection, std::size_t octets);
  void claims_left_out_suppressed(std::uint64_t count);

  void admin_call(const AdminCallMade& event);

  void revoked(const Revoked& event);
  void revocations_suppressed(std::uint64_t count);
  // All that Redis has is known. `invalid`: what was no revocation, there or said of them, so far.
  void revocations_loaded(std::size_t live, std::uint64_t invalid);
  // `notable` as FetchedKeySet has it: else it is Debug. Of failures in a row, which come ever more
  // seldom, fewer and fewer are written.
  void keys_fetched(const KeySetStatus& set, bool notable);
  void key_fetch_failed(const KeySetStatus& set, proxy::MonotonicTime now);

  // Other instances cannot be reached, for a reason that is a word; and can be again. `lost`:
  // publications since the start that nobody is known to have got.
  void redis_away(std::string_view reason);
  void redis_back(std::uint64_t lost);

  // What is counted over all instances, `what`, is counted by this one alone, since Redis refuses
  // what it is asked for a reason that is a word; and is counted by all again.
  void sharing_refused(std::string_view what, std::string_view reason);
  void sharing_back(std::string_view what);

  // The store of login sessions that a worker asks, `store`, cannot be asked, or refuses what it is
  // asked, for a reason that is a word; and can be asked again.
  void session_store_away(std::string_view store, std::string_view reason);
  void session_store_back(std::string_view store);

  // Redis does not keep what serves once, for a reason that is a word: handshakes that need it are
  // refused.
  void deposits_refused(std::string_view reason);

  // Another policy is in force, and all connections have been asked.
  void policy_reloaded(const PolicyReloaded& event);
  // It is not: one line for each fault, or for each warning of one that is. `what` says where:
  // "policy.yaml:12:5: …".
  void policy_reload_failed(std::string_view asked_by, std::size_t faults);
  void policy_fault(std::string_view what);
  void policy_warning(std::string_view what);

  void started(std::string_view version, std::string_view listen, std::string_view admin,
               unsigned workers);
  void ready();
  void draining(std::uint32_t connections);
  void stopped(std::uint32_t connections_cut);

 private:
  Log& log_;
};

// What clients can make come 10 000 times a second: the first of a kind in each second are written
// in full, the others counted, and one line says how many when the second is over. One for each
// worker, not shared. It has no clock: it is told the time.
class RefusalSampler {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::uint64_t full_lines_max = 10;  // of a kind in a second
  static constexpr std::size_t reasons_max = 128;  // over it, the rest count together as "other"

  explicit RefusalSampler(Audit& audit) : audit_(audit) {}

  void refused(const ConnectionRefused& event, Time now);
  void limit_hit(const LimitHit& event, Time now);
  void message_refused(const MessageRefused& event, Time now);
  void token_refreshed(const TokenRefreshed& event, Time now);
  void ticket_made(const AuditedConnection& connection, std::string_view authenticator, Time now);
  void claims_left_out(const AuditedConnection& connection, std::size_t octets, Time now);

  void tick(Time now);  // about once a second
  void finish();        // nothing more will come: what is counted is written now

  // From any thread: lines that were counted and not written, since the start.
  std::uint64_t lines_suppressed() const { return lines_suppressed_.value(); }

 private:
  struct Sample {
    std::uint64_t written = 0;
    std::uint64_t suppressed = 0;
  };
  struct Reason {
    std::string_view name;
    LogLevel level = LogLevel::Info;
    Sample sample;
  };
  struct MessageReason {
    std::string_view name;
    Sample sample;
  };

  Reason& reason_of(const ConnectionRefused& event);
  // Is this one, which stands for `hits`, to be written?
  bool take(Sample& sample, std::uint64_t hits);

  Audit& audit_;
  std::vector<Reason> reasons_;
  std::vector<MessageReason> message_reasons_;  // a handful: words of the program's own
  std::array<Sample, audited_limits> limits_;
  Sample refreshes_;
  Sample tickets_;
  Sample left_out_;
  Time second_end_ = Time::min();
  proxy::Counter lines_suppressed_;
};

}  // namespace gateway
