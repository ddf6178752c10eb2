// What one worker counts of what happens on it: written by its thread alone, read by whoever is
// asked for metrics. Labels are words of the program's own; what clients choose is in no number's
// name (SECURITY 13).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "gateway/audit.h"
#include "gateway/session_store.h"
#include "proxy/counter.h"

namespace gateway {

// So that no two workers write to one line of a processor's cache.
inline constexpr std::size_t cache_line_octets = 64;

// A counter for each word of a list, and one for all others.
class WordCounters {
 public:
  // `words` are of static life, each once.
  explicit WordCounters(std::span<const std::string_view> words);

  void add(std::string_view word);

  // With "other" as the last.
  std::size_t size() const { return words_.size() + 1; }
  std::string_view word(std::size_t i) const { return i < words_.size() ? words_[i] : "other"; }
  std::uint64_t value(std::size_t i) const { return counts_[i].value(); }

 private:
  std::span<const std::string_view> words_;
  std::unique_ptr<proxy::Counter[]> counts_;
};

struct alignas(cache_line_octets) RouteCounters {
  proxy::TrafficCounters from_client;  // of what passed on
  proxy::TrafficCounters from_backend;
  proxy::Counter opened;  // connections that got their 101
  proxy::Gauge open;      // those of them whose client is still there
};

// All but those of its routes, which come and go with policies (served_policy.h).
struct alignas(cache_line_octets) WorkerCounters {
  WorkerCounters();

  void answered(int status);  // a handshake; 0: its client left before
  void served(int status);    // a request for one of the gateway's own resources; 0: the same
  void limit_hit(AuditedLimit limit, LimitAction action);
  void closed(ClosedBy by, std::uint16_t code);  // as in ConnectionClosed
  void session_asked(SessionStore::Answer::Kind answer);

  WordCounters answers;
  WordCounters own_answers;
  proxy::LatencyHistogram handshakes;     // those that ended in a 101: from their head on
  WordCounters refusals;                  // by the audit log's reason
  WordCounters messages_refused;          // the same
  WordCounters joins;                     // by what came of them
  proxy::LatencyHistogram verifications;  // of tokens, whatever came of them
  std::array<std::array<proxy::Counter, limit_actions>, audited_limits> limits;
  std::array<WordCounters, closers> closes;                             // by ClosedBy, then code
  std::array<proxy::Counter, SessionStore::answers> session_questions;  // by Answer::Kind
  proxy::LatencyHistogram session_answers;                              // what was answered
  proxy::Counter slow_clients;                                          // closed for it
  proxy::Counter slow_backends;
};

}  // namespace gateway
