#include "gateway/policy_limits.h"

#include <algorithm>
#include <utility>

namespace gateway {

namespace {

constexpr std::uint64_t burst_max = 1'000'000'000;
constexpr std::uint64_t connections_limit_max = 10'000'000;
constexpr std::uint64_t rooms_per_connection_limit = 100'000;

struct ConnectionDraft {
  std::optional<double> per_second;
  std::optional<std::uint64_t> burst;
  std::optional<double> octets_per_second;
  std::optional<OnExceed> on_exceed;
};

struct IpDraft {
  std::optional<double> per_second;
  std::optional<std::uint64_t> burst;
  std::uint32_t connections = 0;
};

struct SubjectDraft {
  std::optional<double> per_second;
  std::optional<std::uint64_t> burst;
  std::uint32_t connections = 0;
  Scope scope{};
};

struct RoomDraft {
  std::optional<double> per_second;
  std::optional<std::uint64_t> burst;
};

// A full bucket holds a second's worth unless the policy says otherwise, and at least one, or it
// would never say yes.
auth::RateLimit bucket(std::optional<double> per_second, std::optional<std::uint64_t> burst) {
  if (!per_second) {
    return {};
  }
  return {*per_second, burst ? static_cast<double>(*burst) : std::max(1.0, *per_second)};
}

template <typename Into>
Key<Into> burst_key(std::string rate_name) {
  auto type = number(1, burst_max);
  auto read = [read = type.read](PolicyReader& reader, const YamlEntry& entry, Into& into) {
    into.burst = read(reader, entry.value);
    if (into.burst && !into.per_second) {
      reader.fault(entry.key_mark, "'burst' without a rate: it is how much of it may come at once");
    }
  };
  return key<Into>("burst", type, "", read)
      .if_left_out("a second's worth")
      .says("how many of `" + rate_name + "` may come at once");
}

const std::vector<Key<ConnectionDraft>>& connection_keys() {
  static const std::vector<Key<ConnectionDraft>> keys = {
      key("messages", rate(), &ConnectionDraft::per_second)
          .if_left_out("no limit")
          .says("of one connection"),
      burst_key<ConnectionDraft>("messages"),
      key("bytes", octet_rate(), &ConnectionDraft::octets_per_second)
          .if_left_out("no limit")

          .says("of one connection's messages; a second's worth may come at once, at least "
                "`max_message`"),
      key("on_exceed",
          choice<OnExceed>({{"error", OnExceed::Error},
                            {"drop", OnExceed::Drop},
                            {"throttle", OnExceed::Throttle},
                            {"close", OnExceed::Close}}),
          &ConnectionDraft::on_exceed)
          .if_left_out("`throttle`; with `messages: rooms` `error`")
          .says("for all limits of messages; `error` only with `messages: rooms`"),
  };
  return keys;
}

const std::vector<Key<IpDraft>>& ip_keys() {
  static const std::vector<Key<IpDraft>> keys = {
      key("handshakes", rate(), &IpDraft::per_second)
          .if_left_out("no limit")
          .says("of one address, an IPv6 one by its /64; more get 429"),
      burst_key<IpDraft>("handshakes"),
      key("connections", number(1, connections_limit_max), &IpDraft::connections)
          .if_left_out("no limit")
          .says("of one address at once; more get 429"),
  };
  return keys;
}

const std::vector<Key<SubjectDraft>>& subject_keys() {
  static const std::vector<Key<SubjectDraft>> keys = {
      key("messages", rate(), &SubjectDraft::per_second)
          .if_left_out("no limit")
          .says("of all connections of one subject together"),
      burst_key<SubjectDraft>("messages"),
      key("connections", number(1, connections_limit_max), &SubjectDraft::connections)
          .if_left_out("no limit")
          .says("of one subject at once; more get 429"),
      key("scope", choice<Scope>({{"instance", Scope::Instance}, {"global", Scope::Global}}),
          &SubjectDraft::scope, "instance")
          .says("`global`: counted over all instances that share `redis`, see \"Limits over all "
                "instances\""),
  };
  return keys;
}

const std::vector<Key<RoomDraft>>& room_keys() {
  static const std::vector<Key<RoomDraft>> keys = {
      key("messages", rate(), &RoomDraft::per_second)
          .if_left_out("no limit")
          .says("of all members together to one room"),
      burst_key<RoomDraft>("messages"),
  };
  return keys;
}

struct LimitsDraft {
  ConnectionDraft connection;
  SubjectDraft subject;
  IpDraft ip;
  RoomDraft room;
  std::uint32_t rooms_per_connection = 0;
};

const std::vector<Key<LimitsDraft>>& limits_keys() {
  static const std::vector<Key<LimitsDraft>> keys = {
      key("connection", mapping(connection_keys()), &LimitsDraft::connection)
          .says("they end with the connection"),
      key("subject", mapping(subject_keys()), &LimitsDraft::subject)
          .says("they hold across its connections and reconnects"),
      key("ip", mapping(ip_keys()), &LimitsDraft::ip)
          .says(
              "of one address; `handshakes` before anybody is known, `connections` after `allow`"),
      key("room", mapping(room_keys()), &LimitsDraft::room).says("only where messages are read"),
      key("rooms_per_connection", number(1, rooms_per_connection_limit),
          &LimitsDraft::rooms_per_connection, "100")
          .says("how many rooms one may be in at once"),
  };
  return keys;
}

}  // namespace

Type<RouteLimits> limits_type() {
  auto read = [](PolicyReader& reader, const YamlNode& node) -> std::optional<RouteLimits> {
    auto draft = mapping(limits_keys()).read(reader, node);
    if (!draft) {
      return std::nullopt;
    }
    RouteLimits limits;
    limits.connection.messages = bucket(draft->connection.per_second, draft->connection.burst);
    limits.connection.octets = bucket(draft->connection.octets_per_second, {});
    limits.on_exceed = draft->connection.on_exceed;
    limits.ip = {bucket(draft->ip.per_second, draft->ip.burst), draft->ip.connections};
    limits.subject = {draft->subject.connections,
                      bucket(draft->subject.per_second, draft->subject.burst),
                      draft->subject.scope};
    limits.room = bucket(draft->room.per_second, draft->room.burst);
    limits.rooms_per_connection_max = draft->rooms_per_connection;
    return limits;
  };
  return {"a mapping", read, shapes_of(limits_keys())};
}

}  // namespace gateway
