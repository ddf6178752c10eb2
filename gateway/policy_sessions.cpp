#include "gateway/policy_sessions.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "auth/fingerprint.h"
#include "gateway/json_dialect.h"
#include "gateway/policy_conditions.h"
#include "gateway/policy_values.h"
#include "gateway/utf8_text.h"

namespace gateway {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t secrets_max = 16;
constexpr std::size_t secret_octets_enough = 16;
constexpr std::size_t prefix_octets_max = 128;
constexpr std::size_t claims_max = 64;
constexpr Milliseconds recheck_min = 100ms;
constexpr Milliseconds recheck_max = 1h;

struct Draft {
  std::optional<std::vector<std::string>> secrets;
  std::optional<std::vector<std::string>> secrets_from_files;
  std::string cookie;
  std::optional<proxy::RedisServer> server;
  std::string prefix;
  std::string subject;
  std::vector<auth::SessionClaim> claims;
  Milliseconds recheck{};
};

// As express-session takes its own: one, or a list of which the first signs.
Type<std::vector<std::string>> one_or_more(Type<std::string> item) {
  std::string name = item.name + ", or a list of at most " + std::to_string(secrets_max);
  auto list = list_of(item, 1, secrets_max);
  auto read = [one = std::move(item.read), list = std::move(list.read)](
                  PolicyReader& reader,
                  const YamlNode& node) -> std::optional<std::vector<std::string>> {
    if (node.kind == YamlNode::Kind::Sequence) return list(reader, node);
    auto value = one(reader, node);
    if (!value) return std::nullopt;
    return std::vector<std::string>{std::move(*value)};
  };
  return {std::move(name), std::move(read)};
}

Type<std::string> pointer() {
  return parsed<std::string>("a JSON Pointer such as /passport/user",
                             [](std::string_view text) -> std::expected<std::string, std::string> {
                               auto path = parse_json_path(text);
                               if (!path) return std::unexpected(std::move(path.error()));
                               return std::string(text);
                             });
}

void read_claim(PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
  auto from = pointer().read(reader, entry.value);
  if (entry.key.empty() || entry.key.size() > claim_name_octets_max || entry.key.starts_with('/') ||
      entry.key == "sub") {
    reader.wrong(
        entry.key_mark,
        fmt::format("'{}' is no name of a claim here: 1 to {} octets, no '/' in front, and "
                    "not 'sub', which is the subject",
                    printable(entry.key), claim_name_octets_max));
  } else if (from) {
    draft.claims.push_back({entry.key, std::move(*from)});
  }
}

void read_claims(PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
  if (entry.value.kind != YamlNode::Kind::Map || entry.value.entries.size() > claims_max) {
    return reader.unexpected(
        entry.value, fmt::format("a mapping of at most {} claims to JSON Pointers", claims_max));
  }
  for (const auto& claim : entry.value.entries) read_claim(reader, claim, draft);
}

const std::vector<Key<Draft>>& redis_keys() {
  static const std::vector<Key<Draft>> keys = {
      mandatory(key("url", redis_server(), &Draft::server).says("as `redis.url`")),
  };
  return keys;
}

void read_redis(PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
  read_keys(reader, entry.value, redis_keys(), draft);
}

const std::vector<Key<Draft>>& session_keys() {
  static const std::vector<Key<Draft>> keys = {
      key("cookie", cookie_name(), &Draft::cookie, "connect.sid").says("as the application has it"),
      key("secret", one_or_more(secret()), &Draft::secrets)
          .if_left_out("`secret_file` is mandatory")
          .says("what the application signs its cookie with"),
      key("secret_file", one_or_more(secret_file()), &Draft::secrets_from_files)
          .says("the same, in files"),
      key<Draft>("redis", "a mapping", "", read_redis)
          .if_left_out("the top-level `redis`")
          .says("where the application keeps its sessions")
          .of(shapes_of(redis_keys())),
      key("redis_prefix", text(0, prefix_octets_max), &Draft::prefix, R"("sess:")")
          .says("of their keys, as the application has it"),
      mandatory(key("subject", pointer(), &Draft::subject).says("who it is, within the session")),
      key<Draft>("claims", "a mapping of claims to JSON Pointers", "{}", read_claims)
          .says("at most 64, together at most 8 KiB of a session (more is 401)"),
      key("recheck", duration(recheck_min, recheck_max), &Draft::recheck, "30s")
          .says("how often an open connection's session is read again"),
  };
  return keys;
}

// Of a list, a secret that is wrong has been left out, and the fault said.
std::vector<std::string> secrets_of(PolicyReader& reader, const YamlNode& node, Draft& draft) {
  const bool here = node.find("secret");
  if (here == static_cast<bool>(node.find("secret_file"))) {
    reader.fault(node.mark, "expected exactly one of 'secret' and 'secret_file'");
    return {};
  }
  const auto named = here ? "secret" : "secret_file";
  auto secrets =
      (here ? draft.secrets : draft.secrets_from_files).value_or(std::vector<std::string>());
  for (const auto& secret : secrets) {
    if (secret.empty()) {
      reader.fault(mark_at(node, named), fmt::format("{}: a secret is empty", named));
    } else if (secret.size() < secret_octets_enough) {
      reader.warn(mark_at(node, named),
                  fmt::format("{}: under {} octets: who guesses it can ask for sessions by any id",
                              named, secret_octets_enough));
    }
  }
  return secrets;
}

SessionRedis redis_of(PolicyReader& reader, const YamlNode& node, Draft& draft,
                      const std::optional<RedisSettings>& redis) {
  SessionRedis its;
  its.prefix = std::move(draft.prefix);
  if (draft.server) {
    its.server = std::move(*draft.server);
  } else if (redis && !node.find("redis")) {
    its.server = redis->server;
    its.timeout = redis->timeout;
    its.inherited = true;
  } else if (!node.find("redis")) {
    reader.fault(node.mark, "'redis' is missing, here and at the top: where are the sessions?");
  }
  return its;
}

}  // namespace

std::vector<KeyShape> session_shapes() { return shapes_of(session_keys()); }

SessionDraft read_session(PolicyReader& reader, const YamlNode& node,
                          const std::optional<RedisSettings>& redis) {
  SessionDraft session;
  Draft draft;
  if (!read_keys(reader, node, session_keys(), draft)) return session;
  session.cookie = std::move(draft.cookie);
  session.settings.secrets = secrets_of(reader, node, draft);
  for (const auto& secret : session.settings.secrets) {
    session.settings.keys.push_back(auth::fingerprint_of(secret));
  }
  session.settings.redis = redis_of(reader, node, draft, redis);
  session.settings.rules.subject = std::move(draft.subject);
  session.settings.rules.claims = std::move(draft.claims);
  session.settings.recheck = draft.recheck;
  return session;
}

}  // namespace gateway
