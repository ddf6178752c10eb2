// The policy: everything the operator decides, as values. Immutable once loaded; policy_file.*
// makes it from YAML and has checked every bound stated here.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/condition.h"
#include "auth/credentials.h"
#include "auth/origin.h"
#include "auth/rate_limit.h"
#include "auth/room_rules.h"
#include "auth/session_record.h"
#include "auth/token.h"
#include "gateway/json_dialect.h"
#include "gateway/log_line.h"
#include "gateway/path_pattern.h"
#include "proxy/address.h"
#include "proxy/fetch_url.h"
#include "proxy/listen_address.h"
#include "proxy/redis_url.h"
#include "proxy/tls_context.h"

namespace gateway {

using Milliseconds = std::chrono::milliseconds;

// Where keys of an authenticator came from when the policy was loaded.
struct KeySource {
  std::string kind;  // the key of the policy: "jwks_file", "pem_file", "secret", "secret_file"
  std::string file;  // as the policy wrote it; empty: none
  std::size_t keys = 0;
};

// Where keys are fetched from: `jwks_url` or `discover`.
struct KeyLocation {
  proxy::FetchUrl url;  // of the JWK Set; or of the OpenID configuration that says where that is
  bool discovered = false;  // the latter
  std::optional<auth::WallTime> not_after;
};

// Where login sessions are, each under `prefix` and its id.
struct SessionRedis {
  proxy::RedisServer server;
  Milliseconds timeout{5'000};
  std::string prefix;
  bool inherited = false;  // the server is that of Policy::redis

  bool operator==(const SessionRedis&) const = default;
};

// Of the application that a browser has logged in to (CONTRACT section 2, `session`).
struct SessionSettings {
  std::vector<std::string> secrets;  // at least one: of the cookie's signature
  std::vector<std::uint64_t> keys;   // their fingerprints, in that order
  auth::SessionRules rules;
  SessionRedis redis;
  Milliseconds recheck{30'000};
};

// What becomes a principal. A JWT authenticator has a verifier and places, one of login sessions
// its settings and the one place of their cookie; `anonymous` has nothing.
struct Authenticator {
  std::string name;
  std::string subject_prefix;
  std::shared_ptr<const auth::TokenVerifier> verifier;  // null: it takes no tokens
  std::shared_ptr<const SessionSettings> session;       // null: it takes no login sessions
  std::vector<KeyLocation> key_locations;               // of keys besides the verifier's own
  Milliseconds stale_max{24 * 3'600'000};               // of those
  std::vector<auth::CredentialPlace> places;            // names of fields in lower case
  std::vector<KeySource> key_sources;
  std::optional<Milliseconds> first_message;    // how long it may take, where it is a place
  std::optional<Milliseconds> ticket_lifetime;  // where a ticket is a place
  std::string signing_secret;  // the first `secret`: for `gatehouse token` alone, never printed
  int line = 0;

  bool anonymous() const { return !verifier && !session; }
};

struct BackendServer {
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 80;
  std::string base;  // put before the path; empty or "/…" without a trailing '/'
  bool tls = false;
  std::string text;  // as the policy wrote it, variables not replaced; for logs and metrics
};

struct BackendSettings {
  std::string name;
  std::vector<BackendServer> servers;                  // at least one
  std::shared_ptr<const proxy::TlsClientContext> tls;  // where a server has it
  std::string server_name;  // that certificates must have; empty: each its server's host
  Milliseconds connect_timeout{3'000};
};

inline auth::Condition everyone() {
  auth::Condition condition;
  condition.kind = auth::Condition::Kind::Everyone;
  return condition;
}

enum class OnExceed : std::uint8_t { Error, Drop, Throttle, Close };

struct ConnectionLimits {
  auth::RateLimit messages;
  auth::RateLimit octets;                   // permits_max: a second's worth, at least max_message
  OnExceed on_exceed = OnExceed::Throttle;  // Error: only where messages are rooms
};

struct IpLimits {
  auth::RateLimit handshakes;
  std::uint32_t connections_max = 0;  // 0: no limit
};

// Where a subject is counted: on each instance by itself, or on all that share a Redis together.
enum class Scope : std::uint8_t { Instance, Global };

struct SubjectLimits {
  std::uint32_t connections_max = 0;  // 0: no limit
  auth::RateLimit messages;           // of all its connections together
  Scope scope = Scope::Instance;      // Global: only where the policy has a Redis
};

// Who gets a message of a room: its members, the sender's own backend, or both.
enum class Deliver : std::uint8_t { Room, Backend, Both };

// Of a route whose messages are read (CONTRACT section 4).
struct RoomSettings {
  std::optional<JsonDialect> json;    // none: messages: rooms
  Deliver deliver = Deliver::Room;    // Room where there is no backend; Backend with `json`
  bool backend_acknowledges = false;  // true with `json`: there the gateway says nothing
  bool backend_broadcast = false;
  bool other_passes = false;      // messages of another type go to the backend
  std::string space;              // [a-z0-9-], at most 64 octets; rooms of another are others
  auth::RoomRules rules;          // none: nobody may join or publish
  int rules_line = 0;             // 0: the policy has no rules
  auth::RateLimit room_messages;  // of all members of a room together
  std::uint32_t rooms_per_connection_max = 100;
};

struct Heartbeat {
  Milliseconds interval{25'000};
  Milliseconds timeout{10'000};
};

// How long a connection may last (CONTRACT section 2, "Time").
struct LifetimeRules {
  Milliseconds warn{30'000};  // before the token's end, where messages are rooms; zero: not at all
  Milliseconds grace{0};      // after it
  Milliseconds session_max{24 * 3'600'000};
};

struct Route {
  std::size_t index = 0;  // in Policy::routes
  PathPattern path;
  std::vector<std::string> hosts;  // as normalize_host() gives them; empty: all
  std::vector<std::shared_ptr<const Authenticator>> authenticate;  // at least one
  auth::Condition allow = everyone();
  std::optional<std::vector<auth::OriginPattern>> origins;  // none: not checked
  int origins_line = 0;
  std::optional<RoomSettings> rooms;               // none: messages are opaque, and not read
  std::shared_ptr<const BackendSettings> backend;  // null: the gateway itself is the room server
  std::vector<std::string> subprotocols;           // empty: any
  ConnectionLimits connection_limits;
  IpLimits ip_limits;
  SubjectLimits subject_limits;
  std::uint64_t message_octets_max = 64 * 1024;
  std::size_t send_queue_octets_max = 1024 * 1024;
  Milliseconds stall_timeout{30'000};
  Heartbeat heartbeat;
  LifetimeRules lifetime;
  bool forward_credentials = false;
  std::optional<std::vector<std::string>> forward_claims;  // none: all
  int line = 0;

  // What its keys in Redis call it: route_key() of its hosts and path.
  std::string key;
  // The same as a number, and what it is counted under, whatever policy is in force.
  std::uint64_t id = 0;

  // Of every authenticator, in order, each once: where a credential is looked for, and what is
  // stripped before the backend.
  std::vector<auth::CredentialPlace> places;
  std::optional<Milliseconds> first_message;  // the shortest of its authenticators'; none: no place
  bool refuse_with_close = false;             // refuse_with: close
};

// What becomes of joins and publications while Redis is away (CONTRACT section 7): Local, they are
// this instance's; Refuse, they are answered `unavailable`.
enum class WhenDown : std::uint8_t { Local, Refuse };

struct RedisSettings {
  proxy::RedisServer server;
  std::string prefix;  // of its channels and keys; [A-Za-z0-9._-], 1 to 64 octets
  Milliseconds timeout{5'000};
  WhenDown when_down = WhenDown::Local;

  bool operator==(const RedisSettings&) const = default;
};

struct ListenSettings {
  proxy::ListenAddress address;
  std::shared_ptr<const proxy::TlsServerContext> tls;  // null: without TLS
  bool proxy_protocol = false;  // its header comes first, from trusted_proxies and nobody else

  bool operator==(const ListenSettings&) const = default;
};

// From SIGTERM on: how long all is as before but for /readyz; in how long the clients are then told
// to go; when all of it is over, both included.
struct DrainSettings {
  Milliseconds delay{0};
  Milliseconds spread{10'000};
  Milliseconds timeout{30'000};
};

struct Policy {
  std::string file;   // as it was named on the command line
  std::string shown;  // JSON for an admin, without secrets
  auth::WallTime loaded_at;
  std::vector<ListenSettings> listen;  // at least one, each address once
  unsigned workers = 0;                // 0: one per core
  std::vector<proxy::AddressBlock> trusted_proxies;
  Milliseconds handshake_timeout{10'000};
  std::uint32_t connections_max = 100'000;
  DrainSettings drain;
  bool watch = false;          // reload when the file changes
  proxy::SocketAddress admin;  // default 127.0.0.1:8081
  std::string admin_token;     // empty: none
  LogLevel log_level = LogLevel::Info;
  LogFormat log_format = LogFormat::Json;
  std::optional<RedisSettings> redis;  // none: one instance, rooms fan out in the process
  std::map<std::string, std::shared_ptr<const Authenticator>> authenticators;
  std::map<std::string, std::shared_ptr<const BackendSettings>> backends;
  std::vector<Route> routes;
};

// What is said of that address; null: nothing is.
const ListenSettings* find_listener(const Policy& policy, const proxy::ListenAddress& address);

// Of those of a route, by its name; null: it has none of that name.
const Authenticator* find_authenticator(const Route& route, std::string_view name);

// Those that a route uses, each once.
std::vector<std::shared_ptr<const Authenticator>> authenticators_of(const Policy& policy);

// The host of a Host field (RFC 9110 section 7.2) as routes are matched by it: in lower case,
// without its port, a trailing dot or an IPv6 literal's brackets. None: it is no host.
std::optional<std::string> normalize_host(std::string_view field);

// 16 hexadecimal characters that are the same on all instances, whatever else their policies say
// and in whichever order, and are others for other hosts or another path.
std::string route_key(const std::vector<std::string>& hosts, std::string_view path);

// The same as a number.
std::uint64_t route_id(std::vector<std::string> hosts, std::string_view path);

// What a route's path captures, by name: views of the path that was asked for, and of the route.
using RouteCaptures = std::vector<std::pair<std::string_view, std::string_view>>;

// Paths of the gateway's own resources: no route's, whatever "/*" says.
inline constexpr std::string_view own_path_prefix = "/_gatehouse/";

// The first route that matches; null: none. `host`: the Host field's value; one that is no host
// fits only routes for all hosts. `path`: decoded once, as proxy/target.h gives it.
struct RouteMatch {
  const Route* route = nullptr;
  RouteCaptures captures;
};
RouteMatch find_route(const Policy& policy, std::string_view host, std::string_view path);

}  // namespace gateway
