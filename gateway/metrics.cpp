#include "gateway/metrics.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "gateway/exposition.h"

namespace gateway {
namespace {

using Type = Exposition::Type;
using proxy::Servers;

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

// Over all workers.
template <typename Read>
std::uint64_t sum(const InstanceMetrics& from, Read read) {
  std::uint64_t total = 0;
  for (const auto& worker : from.workers) total += static_cast<std::uint64_t>(read(worker));
  return total;
}

template <typename Enum>
Enum enumerator(std::size_t i) {
  return static_cast<Enum>(i);
}

// --- by route ---

// Routes that differ in nothing but later hosts, or of which the later are never reached, are one:
// no two samples have the same labels. All hosts would make a label of any length.
using RouteName = std::pair<std::string_view, std::string_view>;  // path and first host
using RoutesByName = std::map<RouteName, std::vector<std::size_t>>;

RoutesByName routes_by_name(const Policy& policy) {
  RoutesByName routes;
  for (const auto& route : policy.routes) {
    const auto host = route.hosts.empty() ? std::string_view() : route.hosts.front();
    routes[{route.path.text(), host}].push_back(route.index);
  }
  return routes;
}

template <typename Read>
void by_route(const InstanceMetrics& from, Exposition& to, Read read, Exposition::Label more = {}) {
  for (const auto& [name, indices] : routes_by_name(from.policy)) {
    std::uint64_t total = 0;
    for (const auto index : indices) {
      total += sum(from,
                   [&](const auto& worker) { return read(*worker.served.routes[index].counters); });
    }
    to.sample(total, {{"route", name.first}, {"host", name.second}, more});
  }
}

// --- by key set ---

template <typename Value>
void by_key_set(Exposition& to, Value value, const KeySetStatus& set,
                std::string_view outcome = {}) {
  const auto number = std::to_string(set.number);
  to.sample(value, {{"authenticator", set.authenticator},
                    {"set", number},
                    {"from", set.origin},
                    {"outcome", outcome}});
}

// --- by word ---

template <typename Read>
void by_word(const InstanceMetrics& from, Exposition& to, std::string_view label, Read read,
             Exposition::Label more = {}) {
  const WordCounters& words = read(from.workers.front().counters);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto count =
        sum(from, [&](const auto& worker) { return read(worker.counters).value(i); });
    to.sample(count, {{label, words.word(i)}, more});
  }
}

void closes(const InstanceMetrics& from, Exposition& to) {
  for (std::size_t by = 0; by < closers; ++by) {
    by_word(
        from, to,
        "code", [by](const WorkerCounters& counters) -> const auto& { return counters.closes[by]; },
        {"by", name_of(enumerator<ClosedBy>(by))});
  }
}

// A request that is over a limit is refused; of a message the policy says what is done.
bool goes_with(AuditedLimit limit, LimitAction action) {
  const bool of_requests =
      limit == AuditedLimit::IpHandshakes || limit == AuditedLimit::IpConnections ||
      limit == AuditedLimit::SubjectConnections || limit == AuditedLimit::SubjectTickets;
  return of_requests == (action == LimitAction::Refuse);
}

void limit_hits(const InstanceMetrics& from, Exposition& to) {
  for (std::size_t i = 0; i < audited_limits; ++i) {
    for (std::size_t j = 0; j < limit_actions; ++j) {
      const auto limit = enumerator<AuditedLimit>(i);
      const auto action = enumerator<LimitAction>(j);
      if (!goes_with(limit, action)) continue;
      const auto hits =
          sum(from, [&](const auto& worker) { return worker.counters.limits[i][j].value(); });
      to.sample(hits, {{"limit", name_of(limit)}, {"action", name_of(action)}});
    }
  }
}

// --- by server of a backend ---

// Calls `tell(backend, server, places)`: one that the policy names twice has two places and one
// name.
template <typename Tell>
void each_server(const Policy& policy, Tell tell) {
  for (const auto& [name, backend] : policy.backends) {
    std::map<std::string_view, std::vector<std::size_t>> places;
    for (std::size_t i = 0; i < backend->servers.size(); ++i) {
      places[backend->servers[i].text].push_back(i);
    }
    for (const auto& [server, indices] : places) tell(*backend, server, indices);
  }
}

std::string_view name_of(Servers::Outcome outcome) {
  constexpr std::array<std::string_view, Servers::outcomes> names{
      "upgraded", "refused", "unreachable", "insecure", "wrong", "too_slow"};
  return names[static_cast<std::size_t>(outcome)];
}

void backend_handshakes(const InstanceMetrics& from, Exposition& to) {
  each_server(from.policy, [&](const auto& backend, auto server, const auto& places) {
    for (std::size_t i = 0; i < Servers::outcomes; ++i) {
      const auto outcome = enumerator<Servers::Outcome>(i);
      std::uint64_t total = 0;
      for (const auto place : places) {
        total += sum(from, [&](const auto& worker) {
          return worker.served.servers_of(backend).count(place, outcome);
        });
      }
      to.sample(total,
                {{"backend", backend.name}, {"server", server}, {"outcome", name_of(outcome)}});
    }
  });
}

void backend_handshake_durations(const InstanceMetrics& from, Exposition& to) {
  each_server(from.policy, [&](const auto& backend, auto server, const auto& places) {
    std::vector<const proxy::LatencyHistogram*> parts;
    for (const auto& worker : from.workers) {
      const auto& servers = worker.served.servers_of(backend);
      for (const auto place : places) parts.push_back(&servers.durations(place));
    }
    to.histogram(parts, {{"backend", backend.name}, {"server", server}});
  });
}

// Each worker finds out for itself.
void servers_skipped(const InstanceMetrics& from, Exposition& to) {
  each_server(from.policy, [&](const auto& backend, auto server, const auto& places) {
    const auto workers = sum(from, [&](const auto& worker) {
      const auto& servers = worker.served.servers_of(backend);
      return std::ranges::any_of(places,
                                 [&](auto place) { return servers.skipped(place, from.now); });
    });
    to.sample(workers, {{"backend", backend.name}, {"server", server}});
  });
}

// --- time ---

// Over all workers. `read` returns a reference.
template <typename Read>
void durations(const InstanceMetrics& from, Exposition& to, Read read) {
  std::vector<const proxy::LatencyHistogram*> parts;
  for (const auto& worker : from.workers) parts.push_back(&read(worker));
  to.histogram(parts);
}

bool reads_sessions(const Policy& policy) {
  return std::ranges::any_of(policy.authenticators,
                             [](const auto& each) { return each.second->session != nullptr; });
}

void session_questions(const InstanceMetrics& from, Exposition& to) {
  if (!reads_sessions(from.policy)) return;
  constexpr std::array<std::string_view, SessionStore::answers> names{"found", "missing", "away"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto count =
        sum(from, [i](const auto& worker) { return worker.counters.session_questions[i].value(); });
    to.sample(count, {{"answer", names[i]}});
  }
}

void session_answers(const InstanceMetrics& from, Exposition& to) {
  if (!reads_sessions(from.policy)) return;
  durations(
      from, to, [](const auto& worker) -> auto& { return worker.counters.session_answers; });
}

void iterations(const InstanceMetrics& from, Exposition& to) {
  for (std::size_t i = 0; i < from.workers.size(); ++i) {
    const auto* histogram = &from.workers[i].iterations;
    to.histogram({&histogram, 1}, {{"worker", std::to_string(i)}});
  }
}

// --- the table ---

using From = const InstanceMetrics&;
using To = Exposition&;

struct Family {
  std::string_view name;
  Type type;
  std::string_view help;
  void (*collect)(From, To);  // writes its samples; none: it is left out
};

// A new metric is a row here, and something to read it from.
constexpr Family families[] = {
    {"gatehouse_build_info", Type::Gauge, "Always 1; the label says which version runs.",
     [](From, To to) {
       to.sample(std::uint64_t{1}, {{"version", GATEHOUSE_VERSION}});
     }},
    {"gatehouse_start_time_seconds", Type::Gauge, "When the process started, in Unix time.",
     [](From from, To to) { to.sample(seconds(from.started.time_since_epoch())); }},
    {"gatehouse_policy_loaded_timestamp_seconds", Type::Gauge,
     "When the policy in force was loaded, in Unix time.",
     [](From from, To to) { to.sample(seconds(from.policy.loaded_at.time_since_epoch())); }},
    {"gatehouse_policy_reloads_total", Type::Counter,
     "Times that the policy was to be loaded again, by what came of it.",
     [](From from, To to) {
       to.sample(from.reloads, {{"outcome", "reloaded"}});
       to.sample(from.reloads_failed, {{"outcome", "failed"}});
     }},
    {"gatehouse_ready", Type::Gauge, "1 while /readyz says that clients may come.",
     [](From from, To to) { to.sample(std::uint64_t{from.ready}); }},
    {"gatehouse_draining", Type::Gauge, "1 from SIGTERM on: /readyz says no, then clients go.",
     [](From from, To to) { to.sample(std::uint64_t{from.draining}); }},
    {"gatehouse_workers", Type::Gauge, "Event loops, each a thread.",
     [](From from, To to) { to.sample(std::uint64_t{from.workers.size()}); }},
    {"gatehouse_loop_busy_seconds", Type::Histogram,
     "How long a worker's loop was busy between two sleeps; what is ready meanwhile waits so long.",
     iterations},

    {"gatehouse_max_connections", Type::Gauge,
     "Client connections that there may be, as the policy and the descriptor limit allow.",
     [](From from, To to) { to.sample(std::uint64_t{from.ledger.connections_max()}); }},
    {"gatehouse_accepted_connections", Type::Gauge,
     "Client connections that count against the maximum, before their 101 and after it.",
     [](From from, To to) { to.sample(std::uint64_t{from.ledger.open()}); }},
    {"gatehouse_admitting_connections", Type::Gauge,
     "Client connections that have no 101 yet; over half of the maximum the oldest go.",
     [](From from, To to) { to.sample(std::uint64_t{from.ledger.admitting()}); }},
    {"gatehouse_open_connections", Type::Gauge, "Client connections that have their 101.",
     [](From from, To to) {
       by_route(from, to, [](const RouteCounters& route) { return route.open.value(); });
     }},
    {"gatehouse_opened_connections_total", Type::Counter, "Client connections that got a 101.",
     [](From from, To to) {
       by_route(from, to, [](const RouteCounters& route) { return route.opened.value(); });
     }},
    {"gatehouse_closed_connections_total", Type::Counter,
     "Client connections that ended after their 101: who ended it, and the client's close code.",
     closes},
    {"gatehouse_slow_readers_closed_total", Type::Counter,
     "Connections that ended since one side did not read what it was sent.",
     [](From from, To to) {
       to.sample(sum(from, [](const auto& w) { return w.counters.slow_clients.value(); }),
                 {{"side", "client"}});
       to.sample(sum(from, [](const auto& w) { return w.counters.slow_backends.value(); }),
                 {{"side", "backend"}});
     }},

    {"gatehouse_handshakes_total", Type::Counter,
     "Opening handshakes by the status of their answer; none: the client left before.",
     [](From from, To to) {
       by_word(
           from, to, "code", [](const auto& counters) -> auto& { return counters.answers; });
     }},
    {"gatehouse_handshakes_refused_total", Type::Counter,
     "Opening handshakes that were refused, by the audit log's reason.",
     [](From from, To to) {
       by_word(
           from, to, "reason", [](const auto& counters) -> auto& { return counters.refusals; });
     }},
    {"gatehouse_own_requests_total", Type::Counter,
     "Requests for the gateway's own resources on the public listener, by the status of their "
     "answer; none: the client left before.",
     [](From from, To to) {
       by_word(
           from, to, "code", [](const auto& counters) -> auto& { return counters.own_answers; });
     }},
    {"gatehouse_handshake_duration_seconds", Type::Histogram,
     "From the end of a client's request head to its 101, the backend's included.",
     [](From from, To to) {
       durations(
           from, to, [](const auto& w) -> auto& { return w.counters.handshakes; });
     }},
    {"gatehouse_token_verification_seconds", Type::Histogram,
     "What it took to verify the token of an opening handshake, good or bad.",
     [](From from, To to) {
       durations(
           from, to, [](const auto& w) -> auto& { return w.counters.verifications; });
     }},
    {"gatehouse_backend_handshakes_total", Type::Counter,
     "Attempts with a server of a backend that ended, by how.", backend_handshakes},
    {"gatehouse_backend_handshake_duration_seconds", Type::Histogram,
     "Of those that were upgraded: from the look-up of the server's name to its 101.",
     backend_handshake_durations},
    {"gatehouse_backend_server_skipping_workers", Type::Gauge,
     "Workers that skip this server now, since it failed less than 5 s ago.", servers_skipped},

    {"gatehouse_messages_total", Type::Counter,
     "Messages that came from a side and were not over a limit.",
     [](From from, To to) {
       by_route(from, to, [](const RouteCounters& r) { return r.from_client.messages.value(); },
                {"from", "client"});
       by_route(from, to, [](const RouteCounters& r) { return r.from_backend.messages.value(); },
                {"from", "backend"});
     }},
    {"gatehouse_message_bytes_total", Type::Counter, "The payload of these messages.",
     [](From from, To to) {
       by_route(from, to, [](const RouteCounters& r) { return r.from_client.octets.value(); },
                {"from", "client"});
       by_route(from, to, [](const RouteCounters& r) { return r.from_backend.octets.value(); },
                {"from", "backend"});
     }},
    {"gatehouse_messages_refused_total", Type::Counter,
     "Messages that were read and may not go on, by the audit log's reason.",
     [](From from, To to) {
       by_word(
           from, to, "reason",
           [](const auto& counters) -> auto& { return counters.messages_refused; });
     }},
    {"gatehouse_limit_hits_total", Type::Counter,
     "Handshakes and messages over a limit, and what was done about them.", limit_hits},
    {"gatehouse_queued_bytes", Type::Gauge,
     "What waits for clients and backends that read slowly, beyond 16 KiB of each.",
     [](From from, To to) { to.sample(std::uint64_t{from.ledger.queued()}); }},
    {"gatehouse_queued_max_bytes", Type::Gauge,
     "Over it a reader that leaves more waiting is closed.",
     [](From from, To to) { to.sample(std::uint64_t{from.ledger.queued_max()}); }},

    {"gatehouse_rooms", Type::Gauge, "Rooms with members on this instance.",
     [](From from, To to) { to.sample(std::uint64_t{from.exchange.rooms()}); }},
    {"gatehouse_room_memberships", Type::Gauge, "Members of all rooms, one for each room.",
     [](From from, To to) {
       to.sample(sum(from, [](const auto& worker) { return worker.rooms.memberships(); }));
     }},
    {"gatehouse_room_joins_total", Type::Counter,
     "Joins that named a room, by what came of them: joined, or the error.",
     [](From from, To to) {
       by_word(
           from, to, "outcome", [](const auto& counters) -> auto& { return counters.joins; });
     }},
    {"gatehouse_room_publications_total", Type::Counter,
     "Messages to a room that came from this instance: its clients, backends and API.",
     [](From from, To to) { to.sample(from.exchange.published()); }},
    {"gatehouse_room_deliveries_total", Type::Counter,
     "Messages of rooms that members on this instance were sent, one for each member.",
     [](From from, To to) {
       to.sample(sum(from, [](const auto& worker) { return worker.rooms.deliveries(); }));
     }},
    {"gatehouse_room_delivery_bytes_total", Type::Counter, "The frames of these deliveries.",
     [](From from, To to) {
       to.sample(sum(from, [](const auto& worker) { return worker.rooms.delivered_octets(); }));
     }},
    {"gatehouse_room_delivery_duration_seconds", Type::Histogram,
     "From when a publication had its place in the room's order to when a worker's members had it.",
     [](From from, To to) {
       durations(
           from, to, [](const auto& w) -> auto& { return w.rooms.delivery_durations(); });
     }},
    {"gatehouse_room_publications_dropped_total", Type::Counter,
     "Publications that a worker did not get since too much waited for it; its members are closed.",
     [](From from, To to) { to.sample(from.exchange.dropped()); }},

    {"gatehouse_revocations", Type::Gauge, "Subjects and tokens that are revoked.",
     [](From from, To to) { to.sample(std::uint64_t{from.revocations.size()}); }},
    {"gatehouse_revocations_loaded", Type::Gauge,
     "1 once it is known what is revoked; before, nobody is let in.",
     [](From from, To to) { to.sample(std::uint64_t{from.revocations.loaded()}); }},
    {"gatehouse_revocations_applied_total", Type::Counter,
     "Revocations that this instance was asked for, heard of or loaded, where they were news.",
     [](From from, To to) { to.sample(from.revocations.applied()); }},
    {"gatehouse_revoked_connections_total", Type::Counter, "Connections that they closed here.",
     [](From from, To to) { to.sample(from.revocations.closed()); }},

    {"gatehouse_redis_up", Type::Gauge, "1 while other instances can be reached through Redis.",
     [](From from, To to) {
       if (from.policy.redis) to.sample(std::uint64_t{from.exchange.bus_up()});
     }},
    {"gatehouse_redis_away_timestamp_seconds", Type::Gauge,
     "When Redis was found to be away the last time, in Unix time; the start is one.",
     [](From from, To to) {
       if (from.policy.redis) to.sample(seconds(from.exchange.bus_away_since()));
     }},
    {"gatehouse_redis_returns_total", Type::Counter,
     "Times that Redis was away and came back, the first one included.",
     [](From from, To to) {
       if (from.policy.redis) to.sample(from.exchange.bus_returns());
     }},
    {"gatehouse_redis_round_trip_seconds", Type::Histogram,
     "Of heartbeats: published on one connection, seen on the other.",
     [](From from, To to) {
       if (from.redis_round_trips) to.histogram({&from.redis_round_trips, 1});
     }},
    {"gatehouse_redis_waiting_bytes", Type::Gauge,
     "Publications and questions that Redis has not answered yet; at most 16 MiB.",
     [](From from, To to) {
       if (from.policy.redis) to.sample(std::uint64_t{from.redis_waiting_octets});
     }},
    {"gatehouse_redis_messages_total", Type::Counter,
     "Messages of rooms that came from Redis, those of this instance among them.",
     [](From from, To to) {
       if (from.policy.redis) to.sample(from.exchange.received());
     }},
    {"gatehouse_redis_messages_invalid_total", Type::Counter,
     "Texts on the channel of a room that are no message of it, and were dropped.",
     [](From from, To to) {
       if (from.policy.redis) to.sample(from.exchange.invalid());
     }},
    {"gatehouse_redis_control_invalid_total", Type::Counter,
     "Texts on the control channel and in the set of revocations that are none, and were dropped.",
     [](From from, To to) {
       if (from.policy.redis) to.sample(from.control_texts_invalid);
     }},
    {"gatehouse_redis_publications_lost_total", Type::Counter,
     "Publications that are not known to have reached Redis; their senders were told.",
     [](From from, To to) {
       if (from.policy.redis) to.sample(from.exchange.lost());
     }},

    {"gatehouse_shared_limits_up", Type::Gauge,
     "1 while limits with scope: global are shared; else each instance limits for itself.",
     [](From from, To to) {
       if (from.shared_buckets) to.sample(std::uint64_t{from.shared_buckets->sharing()});
     }},
    {"gatehouse_shared_limits_questions_total", Type::Counter,
     "Leases of messages that Redis was asked for, one for each subject.",
     [](From from, To to) {
       if (from.shared_buckets) to.sample(from.shared_buckets->asked());
     }},
    {"gatehouse_shared_limits_unanswered_total", Type::Counter, "Those of them without an answer.",
     [](From from, To to) {
       if (from.shared_buckets) to.sample(from.shared_buckets->unanswered());
     }},

    {"gatehouse_session_questions_total", Type::Counter,
     "Login sessions that a store was asked for, by what it said; away: nothing.",
     session_questions},
    {"gatehouse_session_answer_seconds", Type::Histogram, "How long it took to say so.",
     session_answers},

    {"gatehouse_key_set_keys", Type::Gauge,
     "Keys of a set that is fetched, as it was the last time.",
     [](From from, To to) {
       for (const auto& set : from.key_sets) by_key_set(to, std::uint64_t{set.keys}, set);
     }},
    {"gatehouse_key_set_age_seconds", Type::Gauge, "How long ago it was fetched; none: never yet.",
     [](From from, To to) {
       for (const auto& set : from.key_sets) {
         if (set.fetched) by_key_set(to, seconds(from.now - *set.fetched), set);
       }
     }},
    {"gatehouse_key_fetches_total", Type::Counter,
     "Times that it was asked for, by what came of it.",
     [](From from, To to) {
       for (const auto& set : from.key_sets) {
         by_key_set(to, set.fetches - set.failures, set, "fetched");
         by_key_set(to, set.failures, set, "failed");
       }
     }},

    {"gatehouse_log_lines_sampled_total", Type::Counter,
     "Lines that were counted and not written, since there were many like them.",
     [](From from, To to) {
       const auto of_admin = from.admin_refusals ? from.admin_refusals->lines_suppressed() : 0;
       to.sample(of_admin +
                 sum(from, [](const auto& worker) { return worker.refusals.lines_suppressed(); }));
     }},
    {"gatehouse_log_lines_lost_total", Type::Counter,
     "Lines that the output of the log was too slow for.",
     [](From from, To to) { to.sample(from.log.lines_lost()); }},
};

}  // namespace

std::string metrics_text(const InstanceMetrics& instance) {
  Exposition exposition;
  for (const auto& family : families) {
    exposition.family(family.name, family.type, family.help);
    family.collect(instance, exposition);
  }
  return exposition.text();
}

}  // namespace gateway
