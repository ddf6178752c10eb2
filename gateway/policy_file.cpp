#include "gateway/policy_file.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "gateway/file_text.h"
#include "gateway/policy_listen.h"
#include "gateway/policy_reader.h"
#include "gateway/policy_routes.h"

namespace gateway {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t workers_max = 256;
constexpr std::size_t trusted_proxies_max = 1024;
constexpr std::uint64_t connections_limit_max = 10'000'000;
constexpr std::size_t admin_token_octets_max = 1024;
constexpr std::size_t redis_prefix_octets_max = 64;
constexpr Milliseconds drain_spread_default = 10s;
constexpr const char* admin_address_default = "127.0.0.1:8081";

std::expected<proxy::SocketAddress, std::string> parse_admin_address(std::string_view text) {
  auto address = proxy::SocketAddress::parse(text);
  if (!address || address->port == 0) {
    return std::unexpected(
        "expected an IP address and a port such as 127.0.0.1:8080 or [::1]:8080");
  }
  return *address;
}

std::expected<unsigned, std::string> parse_workers(std::string_view text) {
  if (text == "auto") {
    return 0;
  }
  unsigned workers = 0;
  for (char c : text.substr(0, 4)) {
    workers =
        c >= '0' && c <= '9' ? workers * 10 + static_cast<unsigned>(c - '0') : workers_max + 1;
  }
  if (text.empty() || text.size() > 3 || text.front() == '0' || workers > workers_max) {
    return std::unexpected(fmt::format("expected 'auto' or a number from 1 to {}", workers_max));
  }
  return workers;
}

std::expected<proxy::AddressBlock, std::string> parse_block(std::string_view text) {
  if (auto block = proxy::AddressBlock::parse(text)) {
    return *block;
  }
  return std::unexpected("expected a block of addresses such as 10.0.0.0/8");
}

// --- drain, log ---

struct Drain {
  Milliseconds delay{};
  std::optional<Milliseconds> spread;
  Milliseconds timeout{};
};

const std::vector<Key<Drain>>& drain_keys() {
  static const std::vector<Key<Drain>> keys = {
      key("delay", duration(0s, 1h), &Drain::delay, "0s")
          .says("from SIGTERM on `/readyz` fails this long, and everybody is still served"),
      key("spread", duration(0s, 1h), &Drain::spread)
          .if_left_out("half of what `timeout` leaves, at most `10s`")
          .says("over this time after `delay` clients are sent away, with 1012"),
      key("timeout", duration(0s, 1h), &Drain::timeout, "30s")
          .says("from SIGTERM on; who is there still is cut off then"),
  };
  return keys;
}

struct Log {
  LogLevel level{};
  LogFormat format{};
};

const std::vector<Key<Log>>& log_keys() {
  static const std::vector<Key<Log>> keys = {
      key("level",
          choice<LogLevel>({{"debug", LogLevel::Debug},
                            {"info", LogLevel::Info},
                            {"warn", LogLevel::Warn},
                            {"error", LogLevel::Error}}),
          &Log::level, "info")
          .says("what is logged: this and what is worse"),
      key("format", choice<LogFormat>({{"json", LogFormat::Json}, {"text", LogFormat::Text}}),
          &Log::format, "json")
          .says("one object a line, or words for a terminal"),
  };
  return keys;
}

// --- admin ---

struct Admin {
  proxy::SocketAddress address;
  std::optional<std::string> token;
  std::optional<std::string> token_from_file;
};

Type<proxy::SocketAddress> admin_address() {
  return parsed<proxy::SocketAddress>("an address with a port", parse_admin_address);
}

const std::vector<Key<Admin>>& admin_keys() {
  static const std::vector<Key<Admin>> keys = {
      key("address", admin_address(), &Admin::address, admin_address_default)
          .says("where health, metrics and the API are, see \"The admin API\""),
      key("token", secret(), &Admin::token)
          .says("what a caller must show, as `Bearer`; mandatory where `address` is not loopback"),
      key("token_file", secret_file(), &Admin::token_from_file).says("the same, in a file"),
  };
  return keys;
}

// RFC 6750 section 2.1 has a smaller alphabet; what matters is that a field can carry it.
bool is_admin_token(std::string_view text) {
  return text.size() <= admin_token_octets_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

void read_admin(PolicyReader& reader, const YamlEntry& entry, Policy& policy) {
  Admin admin;
  const YamlNode& node = entry.value;
  const std::size_t before = reader.fault_count();
  if (!read_keys(reader, node, admin_keys(), admin) || reader.fault_count() != before) {
    return;
  }
  std::string_view named = admin.token ? "token" : "token_file";
  policy.admin = admin.address;
  policy.admin_token = admin.token ? *admin.token : admin.token_from_file.value_or("");
  if (admin.token && admin.token_from_file) {
    reader.fault(mark_at(node, "token_file"), "'token' and 'token_file': expected one of them");
  }
  if (!is_admin_token(policy.admin_token)) {
    reader.fault(mark_at(node, named),
                 fmt::format("a token has at most {} visible ASCII characters, no spaces",
                             admin_token_octets_max));
  }
  if (policy.admin_token.empty() && !policy.admin.ip.loopback()) {
    reader.fault(
        mark_at(node, "address"),
        fmt::format("{} is not loopback: 'token' is mandatory, or everybody who can reach it "
                    "is an admin",
                    policy.admin.to_string()));
  }
}

// --- redis ---

// No ':', which divides a channel's name: the channels of one prefix are never those of another.
std::expected<std::string, std::string> parse_redis_prefix(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-").contains(c);
  };
  if (text.empty() || text.size() > redis_prefix_octets_max ||
      !std::all_of(text.begin(), text.end(), allowed)) {
    return std::unexpected(fmt::format("expected 1 to {} letters, digits or . _ -, such as {}",
                                       redis_prefix_octets_max, "gatehouse"));
  }
  return std::string(text);
}

const std::vector<Key<RedisSettings>>& redis_keys() {
  static const std::vector<Key<RedisSettings>> keys = {
      mandatory(key("url", redis_server(), &RedisSettings::server)
                    .says("`redis://user:password@host:6379/0` or `unix:///path?db=0`; `rediss://` "
                          "is an error, since this build has no TLS to Redis")),
      key("prefix", parsed<std::string>("a name", parse_redis_prefix), &RedisSettings::prefix,
          "gatehouse")
          .says("of channels and keys: instances with another one are another gateway"),
      key("timeout", duration(100ms, 1min), &RedisSettings::timeout, "5s")
          .says("of each reply, and of the heartbeat that goes round"),
      key("when_down", choice<WhenDown>({{"local", WhenDown::Local}, {"refuse", WhenDown::Refuse}}),
          &RedisSettings::when_down, "local")
          .says("while Redis is away: rooms go on within the instance, or joins and messages are "
                "refused; an instance that starts meanwhile lets nobody in"),
  };
  return keys;
}

// --- the whole ---

// What a key of the top level is read into.
struct Draft {
  Policy policy;
  Authenticators authenticators;
  Backends backends;
};

// There is one version of this format so far; a number that is not it is a fault, and nothing to
// keep.
void read_version(PolicyReader& reader, const YamlEntry& entry, Draft&) {
  number(1, 1).read(reader, entry.value);
}

// A spread that was left out leaves as much time again for the last ones' closing handshakes.
void read_drain(PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
  const std::size_t before = reader.fault_count();
  const auto drain = mapping(drain_keys()).read(reader, entry.value);
  if (!drain || reader.fault_count() != before) {
    return;
  }
  const Milliseconds left = drain->timeout - drain->delay;
  const Milliseconds spread =
      drain->spread.value_or(std::clamp(left / 2, 0ms, drain_spread_default));
  if (spread > left) {
    reader.fault(mark_at(entry.value, "timeout"),
                 "'delay' and 'spread' are parts of 'timeout' and must fit into it");
  }
  draft.policy.drain = {drain->delay, spread, drain->timeout};
}

void read_log(PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
  if (auto log = mapping(log_keys()).read(reader, entry.value)) {
    draft.policy.log_level = log->level;
    draft.policy.log_format = log->format;
  }
}

void read_redis(PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
  draft.policy.redis = mapping(redis_keys()).read(reader, entry.value);
}

// In the order in which one needs the other: routes name what stands before them.
const std::vector<Key<Draft>>& policy_keys() {
  static const std::vector<Key<Draft>> keys = {
      mandatory(key<Draft>("version", "the number 1", "", read_version).says("of this format")),
      mandatory(key<Draft>("listen", "a list", "",
                           [](PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
                             read_listeners(reader, entry.value, draft.policy);
                           })
                    .says("where clients come in")
                    .of(listener_shapes(), KeyShape::Holds::List)),
      key("workers",
          parsed<unsigned>(fmt::format("'auto' or a number from 1 to {}", workers_max),
                           parse_workers),
          &Draft::policy, &Policy::workers, "auto")
          .says("event loops, each a thread; `auto` is one per core"),
      key("trusted_proxies",
          list_of(parsed<proxy::AddressBlock>("a block of addresses", parse_block), 0,
                  trusted_proxies_max),
          &Draft::policy, &Policy::trusted_proxies, "[]")
          .says("such as `10.0.0.0/8`: whose `X-Forwarded-For` is believed, of which the rightmost "
                "address that is in no block counts; and who may ask for \"Forward "
                "authentication\""),
      key("handshake_timeout", duration(100ms, 10min), &Draft::policy, &Policy::handshake_timeout,
          "10s")

          .says("for PROXY header, TLS, head and backend together; too slow is 408 or 504, 401 or "
                "503 where a key, a session or Redis was awaited, and nothing before HTTP"),
      key("max_connections", number(1, connections_limit_max), &Draft::policy,
          &Policy::connections_max, "100000")

          .says("more get 503; lowered at the start and each reload to what the descriptor limit "
                "allows, two for each where a route has a backend"),
      key<Draft>("drain", "a mapping", "{}", read_drain)
          .says("how it ends, see \"When it ends\"; `delay` and `spread` are parts of `timeout`")
          .of(shapes_of(drain_keys())),
      key("watch", flag(), &Draft::policy, &Policy::watch, "false")
          .says("`true`: the policy is loaded again when its file changes, see \"Another policy "
                "without a restart\""),
      key<Draft>("admin", "a mapping", "{}",
                 [](PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
                   read_admin(reader, entry, draft.policy);
                 })
          .says("the other listener")
          .of(shapes_of(admin_keys())),
      key<Draft>("log", "a mapping", "{}", read_log)
          .says("of standard output")
          .of(shapes_of(log_keys())),
      key<Draft>("redis", "a mapping", "", read_redis)
          .if_left_out("one instance")
          .says("what instances share, see \"More than one instance\"")
          .of(shapes_of(redis_keys())),
      key<Draft>("authenticators", "a mapping of names", "",
                 [](PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
                   draft.authenticators =
                       read_authenticators(reader, entry.value, draft.policy.redis);
                 })
          .says("how a credential becomes a subject with claims; each is a `jwt`, a `session` or "
                "`anonymous`")
          .of(authenticator_shapes(), KeyShape::Holds::Names),
      key<Draft>("backends", "a mapping of names", "",
                 [](PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
                   draft.backends = read_backends(reader, entry.value);
                 })
          .says("the services behind")
          .of(backend_shapes(), KeyShape::Holds::Names),
      mandatory(key<Draft>("routes", "a list", "",
                           [](PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
                             draft.policy.routes = read_routes(
                                 reader, entry.value, draft.authenticators, draft.backends);
                           })
                    .says("the first that has the host and the path decides; none is 404")
                    .of(route_shapes(), KeyShape::Holds::List)),
  };
  return keys;
}

void check_scopes(PolicyReader& reader, const YamlNode& root, const Policy& policy) {
  if (policy.redis) return;
  const YamlNode& routes = root.find("routes")->value;
  for (std::size_t i = 0; i < policy.routes.size(); ++i) {
    if (policy.routes[i].subject_limits.scope != Scope::Global) continue;
    const YamlNode& subject = routes.items[i].find("limits")->value.find("subject")->value;
    reader.fault(mark_at(subject, "scope"),
                 "'scope: global' without 'redis': instances share nothing else");
  }
}

void check_policy(PolicyReader& reader, const YamlNode& root, const Draft& draft) {
  const Policy& policy = draft.policy;
  if (find_listener(policy, {policy.admin, {}})) {
    reader.fault(mark_at(root, "listen"),
                 fmt::format("{} is the admin listener's address too", policy.admin.to_string()));
  }
  const auto proxied = std::ranges::any_of(policy.listen, &ListenSettings::proxy_protocol);
  if (proxied && policy.trusted_proxies.empty()) {
    reader.fault(mark_at(root, "listen"),
                 "'proxy_protocol: true' without 'trusted_proxies': nobody could connect");
  }
  check_scopes(reader, root, policy);
  auto used = [&policy](const auto& uses) {
    return std::any_of(policy.routes.begin(), policy.routes.end(), uses);
  };
  for (const auto& [name, authenticator] : draft.authenticators) {
    if (!used([&](const Route& route) {
          return std::find(route.authenticate.begin(), route.authenticate.end(), authenticator) !=
                 route.authenticate.end();
        })) {
      reader.warn(root.find("authenticators")->value.find(name)->key_mark,
                  fmt::format("no route uses '{}'", name));
    }
  }
  for (const auto& [name, backend] : draft.backends) {
    const YamlEntry& entry = *root.find("backends")->value.find(name);
    if (!used([&](const Route& route) { return route.backend == backend; })) {
      reader.warn(entry.key_mark, fmt::format("no route uses '{}'", name));
    }
    const YamlEntry* timeout = entry.value.find("connect_timeout");
    if (timeout && backend->connect_timeout >= policy.handshake_timeout) {
      reader.warn(timeout->value.mark, "'handshake_timeout' ends a handshake before this does");
    }
  }
}

std::vector<PolicyError> only_fault(const std::string& file, std::string what) {
  return {{file, 0, 0, std::move(what)}};
}

std::expected<std::string, std::vector<PolicyError>> read_policy_file(const std::string& file) {
  auto text = read_file(file, yaml_file_octets_max);
  if (text) return *std::move(text);
  return std::unexpected(only_fault(
      file, fmt::format("cannot be read: {} (the file must be there and readable for user id {}; "
                        "--policy names another one)",
                        text.error(), geteuid())));
}

}  // namespace

std::string PolicyError::to_string() const {
  return line == 0 ? fmt::format("{}: {}", file, what)
                   : fmt::format("{}:{}:{}: {}", file, line, column, what);
}

std::vector<KeyShape> policy_shapes() { return shapes_of(policy_keys()); }

std::expected<LoadedPolicy, std::vector<PolicyError>> parse_policy(const std::string& file,
                                                                   std::string_view text,
                                                                   const Environment& environment,
                                                                   auth::WallTime now) {
  PolicyReader reader(file, environment);
  YamlDocument document = parse_yaml(text);
  for (YamlFault& fault : document.faults) reader.fault(fault.mark, std::move(fault.what));
  Draft draft;
  draft.policy.file = file;
  draft.policy.loaded_at = now;
  if (document.root && read_keys(reader, *document.root, policy_keys(), draft) &&
      reader.fault_count() == 0) {
    check_policy(reader, *document.root, draft);
  }
  if (reader.fault_count() > 0) {
    return std::unexpected(reader.take_faults());
  }
  draft.policy.shown = shown_policy(*document.root, reader.shown());
  for (auto& [name, authenticator] : draft.authenticators) {
    draft.policy.authenticators.emplace(name, std::move(authenticator));
  }
  for (auto& [name, backend] : draft.backends) {
    draft.policy.backends.emplace(name, std::move(backend));
  }
  return LoadedPolicy{std::make_shared<const Policy>(std::move(draft.policy)),
                      reader.take_warnings()};
}

std::expected<LoadedPolicy, std::vector<PolicyError>> load_policy(const std::string& file,
                                                                  const Environment& environment) {
  auto text = read_policy_file(file);
  if (!text) return std::unexpected(std::move(text.error()));
  return parse_policy(
      file, *text, environment,
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()));
}

std::expected<proxy::SocketAddress, std::vector<PolicyError>> find_admin_address(
    const std::string& file, std::string_view text, const Environment& environment) {
  PolicyReader reader(file, environment);
  const YamlDocument document = parse_yaml(text);
  if (!document.root) {
    for (const YamlFault& fault : document.faults) reader.fault(fault.mark, fault.what);
    return std::unexpected(reader.take_faults());
  }
  const YamlEntry* admin = document.root->find("admin");
  const YamlEntry* address = admin ? admin->value.find("address") : nullptr;
  const YamlEntry otherwise = default_entry("address", admin_address_default, {});
  reader.enter("address");
  const auto found = admin_address().read(reader, (address ? *address : otherwise).value);
  if (!found) return std::unexpected(reader.take_faults());
  return *found;
}

std::expected<proxy::SocketAddress, std::vector<PolicyError>> load_admin_address(
    const std::string& file, const Environment& environment) {
  const auto text = read_policy_file(file);
  if (!text) return std::unexpected(text.error());
  return find_admin_address(file, *text, environment);
}

}  // namespace gateway
