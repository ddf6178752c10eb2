#include "gateway/policy_routes.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "gateway/policy_conditions.h"
#include "gateway/policy_limits.h"
#include "gateway/policy_rooms.h"
#include "gateway/spelling.h"
#include "gateway/utf8_text.h"

namespace gateway {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t hosts_max = 256;
constexpr std::size_t authenticate_max = 16;
constexpr std::size_t origins_max = 256;
constexpr std::size_t forwarded_claims_max = 64;
constexpr std::size_t subprotocol_octets_max = 128;
constexpr std::uint64_t message_octets_limit = 1024 * 1024 * 1024;
constexpr std::uint64_t send_queue_octets_min = 4 * 1024;
constexpr std::uint64_t send_queue_octets_limit = 1024 * 1024 * 1024;
constexpr Milliseconds grace_max = 1h;
constexpr Milliseconds session_limit = 24h * 366;

struct TokenExpiry {
  Milliseconds warn{};
  Milliseconds grace{};
};

struct RouteDraft {
  Route route;
  bool same_subjects = false;
  RoomsDraft rooms;
  RouteLimits limits;
  TokenExpiry token_expiry;
  Milliseconds session_max{};
};

// A name that stands in another part of the file. Null there: declared but wrong, said already.
template <typename T>
std::shared_ptr<const T> look_up(PolicyReader& reader, const YamlNode& node, std::string_view what,
                                 const std::map<std::string, std::shared_ptr<const T>>& all) {
  auto name = text(1, policy_name_octets_max).read(reader, node);
  if (!name) {
    return nullptr;
  }
  auto found = all.find(*name);
  if (found != all.end()) {
    return found->second;
  }
  std::vector<std::string_view> known;
  for (const auto& [each, value] : all) known.push_back(each);
  reader.wrong(node.mark, fmt::format("no {} is called '{}'{}", what, printable(node.text),
                                      did_you_mean(*name, known)));
  return nullptr;
}

// --- types of this file ---

std::expected<PathPattern, std::string> parse_path(std::string_view text) {
  if (text == "/_gatehouse" || text.starts_with("/_gatehouse/")) {
    return std::unexpected("paths beginning with '/_gatehouse/' are the gateway's own");
  }
  return PathPattern::parse(text);
}

std::expected<std::string, std::string> parse_route_host(std::string_view text) {
  if (auto address = proxy::IpAddress::parse(text)) {
    return address->to_string();
  }
  bool with_port = text.starts_with('[') ? !text.ends_with(']') : text.contains(':');
  auto host = normalize_host(text);
  if (!host || with_port) {
    return std::unexpected(
        "expected a host such as chat.example.com, without a port and without '*'");
  }
  return *std::move(host);
}

std::expected<std::string, std::string> parse_subprotocol(std::string_view text) {
  // A field of exactly this subprotocol must read as exactly this subprotocol.
  auth::Field field{"Sec-WebSocket-Protocol", text};
  auto parsed = auth::parse_subprotocols({&field, 1});
  if (!parsed || parsed->size() != 1 || parsed->front() != text ||
      text.size() > subprotocol_octets_max) {
    return std::unexpected("expected a subprotocol (RFC 6455 section 4.1)");
  }
  return std::string(text);
}

void read_authenticate(PolicyReader& reader, const YamlEntry& entry,
                       const Authenticators& authenticators, RouteDraft& draft) {
  auto& chosen = draft.route.authenticate;
  const YamlNode& node = entry.value;
  if (node.kind != YamlNode::Kind::Sequence || node.items.empty() ||
      node.items.size() > authenticate_max) {
    reader.unexpected(node,
                      fmt::format("a list of 1 to {} names of authenticators", authenticate_max));
    return;
  }
  for (const YamlNode& item : node.items) {
    auto authenticator = look_up(reader, item, "authenticator", authenticators);
    if (!authenticator) {
      continue;
    }
    if (std::find(chosen.begin(), chosen.end(), authenticator) != chosen.end()) {
      reader.wrong(item.mark, fmt::format("'{}' stands here twice", authenticator->name));
      continue;
    }
    for (const auth::CredentialPlace& place : authenticator->places) {
      auto& places = draft.route.places;
      if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
    }
    if (authenticator->first_message) {
      auto& shortest = draft.route.first_message;
      shortest =
          std::min(shortest.value_or(*authenticator->first_message), *authenticator->first_message);
    }
    chosen.push_back(std::move(authenticator));
  }
}

CaptureNames captures_of(const PathPattern& path) {
  return path.text().empty() ? std::nullopt : CaptureNames(path.capture_names());
}

void read_allow(PolicyReader& reader, const YamlEntry& entry, RouteDraft& draft) {
  if (auto condition = read_condition(reader, entry.value, captures_of(draft.route.path))) {
    draft.route.allow = std::move(*condition);
  }
}

void read_rooms(PolicyReader& reader, const YamlEntry& entry, RouteDraft& draft) {
  draft.rooms.rules = read_room_rules(reader, entry.value, captures_of(draft.route.path));
}

template <typename T, typename Member>
Key<RouteDraft> rooms_setting(std::string name, Type<T> type, Member RoomsDraft::*member) {
  auto read = [read = type.read, member](PolicyReader& reader, const YamlEntry& entry,
                                         RouteDraft& draft) {
    draft.rooms.*member = read(reader, entry.value);
  };
  return key<RouteDraft>(std::move(name), type, "", read);
}

Type<Heartbeat> heartbeat_type() {
  return mapping<Heartbeat>({
      key("interval", duration(100ms, 1h), &Heartbeat::interval, "25s")
          .says("between pings, to client and backend"),
      key("timeout", duration(100ms, 1h), &Heartbeat::timeout, "10s")

          .says("no pong for so long ends the connection: the client's with 4408, the backend's "
                "with 1014"),
  });
}

Type<TokenExpiry> token_expiry_type() {
  return mapping<TokenExpiry>({
      key("warn", duration(0s, 24h), &TokenExpiry::warn, "30s")
          .says("how long before its token's end a client is told, with `messages: rooms`; `0s`: "
                "not at all"),
      key("grace", duration(0s, grace_max), &TokenExpiry::grace, "0s")
          .says("how long after that end the connection closes, with 4401"),
  });
}

// --- the table ---

std::vector<Key<RouteDraft>> route_keys(const Authenticators& authenticators,
                                        const Backends& backends) {
  auto authenticate = [&authenticators](PolicyReader& reader, const YamlEntry& entry,
                                        RouteDraft& draft) {
    read_authenticate(reader, entry, authenticators, draft);
  };
  auto backend = [&backends](PolicyReader& reader, const YamlEntry& entry, RouteDraft& draft) {
    draft.route.backend = look_up(reader, entry.value, "backend", backends);
  };
  return {
      mandatory(
          key("path", parsed<PathPattern>("a path", parse_path), &RouteDraft::route, &Route::path)
              .says("exact; `/app/*` is a prefix, `{name}` one segment, which conditions can "
                    "name")),
      key("hosts", list_of(parsed<std::string>("a host", parse_route_host), 1, hosts_max),
          &RouteDraft::route, &Route::hosts)
          .if_left_out("every host")
          .says("without a port"),
      mandatory(key<RouteDraft>("authenticate", "a list of authenticators", "", authenticate)
                    .says("which may let somebody in; at most 16")),
      key("same_subjects", flag(), &RouteDraft::same_subjects, "false")
          .says("two authenticators otherwise need different `subject_prefix`"),
      key<RouteDraft>("allow", "a condition", "everyone", read_allow)
          .says("who may connect, see \"Conditions\""),
      key("origins",
          list_of(parsed<auth::OriginPattern>("an origin", auth::OriginPattern::parse), 1,
                  origins_max),
          &RouteDraft::route, &Route::origins)
          .if_left_out("not checked")
          .says("scheme, host and port; `https://*.example.com` is one label, `\"*\"` any but "
                "`null`; "
                "mandatory where a "
                "cookie or login session can authenticate"),
      key<RouteDraft>("backend", "the name of a backend", "", backend)
          .if_left_out("the gateway itself is the room server")
          .says("where connections go"),
      key("subprotocols",
          list_of(parsed<std::string>("a subprotocol", parse_subprotocol), 0,
                  auth::subprotocols_max),
          &RouteDraft::route, &Route::subprotocols)
          .if_left_out("any")
          .says("what may be offered to the backend; where the 101 comes before it, the first of "
                "the client's that is here is selected"),
      // Their defaults depend on one another: finish_rooms().
      rooms_setting("messages", messages_type(), &RoomsDraft::messages)
          .if_left_out("`opaque`; without a backend `rooms`")
          .says("`opaque`: they pass as they are; `rooms` and `json`: each is read and checked"),
      rooms_setting("deliver", deliver_type(), &RoomsDraft::deliver)
          .if_left_out("`backend`; without one `room`")
          .says("who gets messages: the backend, the members of the room, or both"),
      rooms_setting("acknowledge", backend_acknowledges_type(), &RoomsDraft::backend_acknowledges)
          .if_left_out("`gateway`")
          .says("`backend`: it answers joins and leaves itself"),
      rooms_setting("backend_broadcast", flag(), &RoomsDraft::backend_broadcast)
          .if_left_out("`false`")
          .says("`true`: a backend's `broadcast` goes to all members of a room"),
      rooms_setting("other", other_passes_type(), &RoomsDraft::other_passes)
          .if_left_out("`deny`")
          .says("`allow`: messages of another type pass to the backend"),
      rooms_setting("room_space", room_space_type(), &RoomsDraft::space)
          .if_left_out("empty")
          .says("`[a-z0-9-]`, at most 64; rooms of different spaces are different rooms"),
      key<RouteDraft>("rooms", "a list", "", read_rooms)
          .if_left_out("nobody may join")
          .says("at most 1000 rules, see \"Rooms\" and \"Conditions\"")
          .of(room_rule_shapes(), KeyShape::Holds::List),
      key("limits", limits_type(), &RouteDraft::limits)

          .says("they hold for the instance, whatever `workers` is; but see `subject.scope`"),
      key("max_message", size(1, message_octets_limit), &RouteDraft::route,
          &Route::message_octets_max, "64KiB")
          .says("what a client may send; over it 1009; at most 1 MiB where messages are read"),
      key("send_queue", size(send_queue_octets_min, send_queue_octets_limit), &RouteDraft::route,
          &Route::send_queue_octets_max, "1MiB")
          .says("what waits for a slow reader; from a quarter on the other side is not read"),
      key("stall_timeout", duration(100ms, 1h), &RouteDraft::route, &Route::stall_timeout, "30s")
          .says("a reader that takes nothing for so long is closed with 1013"),
      key("heartbeat", heartbeat_type(), &RouteDraft::route, &Route::heartbeat, "{}")
          .says("who is gone without a word is found"),
      key("token_expiry", token_expiry_type(), &RouteDraft::token_expiry, "{}")
          .says("see \"Tokens that end while a socket is open\""),
      key("max_session", duration(1s, session_limit), &RouteDraft::session_max, "24h")
          .says("of a whole connection, refreshed or not; then 4401"),
      key("refuse_with", choice<bool>({{"http", false}, {"close", true}}), &RouteDraft::route,
          &Route::refuse_with_close, "http")
          .says("`close`: accept, then close with a code that a browser can see"),
      not_built<RouteDraft>("http", "deny").says("another value is an error"),
      key("forward_credentials", flag(), &RouteDraft::route, &Route::forward_credentials, "false")
          .says("`true`: the backend gets them as the client sent them"),
      key("forward_claims", list_of(text(1, claim_name_octets_max), 0, forwarded_claims_max),
          &RouteDraft::route, &Route::forward_claims)
          .if_left_out("all")
          .says("which claims the backend gets in `X-Gatehouse-Claims`"),
  };
}

// --- what several keys say together ---

bool reads_a_cookie(const Authenticator& authenticator) {
  return std::any_of(authenticator.places.begin(), authenticator.places.end(),
                     [](const auth::CredentialPlace& place) {
                       return place.kind == auth::CredentialPlace::Kind::Cookie;
                     });
}

// RFC 6455 section 10.2: a browser sends the cookie whatever page asks it to.
void check_origins(PolicyReader& reader, const YamlNode& node, const Route& route) {
  auto cookie = std::find_if(route.authenticate.begin(), route.authenticate.end(),
                             [](const auto& each) { return reads_a_cookie(*each); });
  if (cookie == route.authenticate.end()) {
    return;
  }
  const YamlEntry* origins = node.find("origins");
  if (!origins) {
    reader.fault(node.mark,
                 fmt::format("'origins' is missing: '{}' takes a cookie, so any web page "
                             "could connect as whoever visits it",
                             (*cookie)->name));
    return;
  }
  for (const YamlNode& item : origins->value.items) {
    if (item.text == "*") {
      reader.warn(item.mark,
                  fmt::format("'{}' takes a cookie: with the origin '*' any web page can "
                              "connect as whoever visits it",
                              (*cookie)->name));
    }
  }
}

const YamlNode& item_of(const YamlNode& node, std::string_view name) {
  const YamlNode& list = node.find("authenticate")->value;
  auto found = std::find_if(list.items.begin(), list.items.end(),
                            [name](const YamlNode& item) { return item.text == name; });
  return found == list.items.end() ? list : *found;
}

bool share_a_place(const Authenticator& a, const Authenticator& b) {
  return std::any_of(a.places.begin(), a.places.end(), [&b](const auth::CredentialPlace& place) {
    return std::find(b.places.begin(), b.places.end(), place) != b.places.end();
  });
}

// Two issuers may both have a user 'alice': unless prefixes tell them apart, or the operator says
// that they are one.
void check_pair(PolicyReader& reader, const YamlNode& node, const RouteDraft& draft,
                const Authenticator& first, const Authenticator& second) {
  if (!draft.same_subjects && first.subject_prefix == second.subject_prefix) {
    reader.fault(
        item_of(node, second.name).mark,
        fmt::format("'{}' and '{}' have the same 'subject_prefix': give one another, or say "
                    "'same_subjects: true' if both mean the same people",
                    first.name, second.name));
  }
  if (!share_a_place(first, second)) return;
  if (first.session || second.session) {
    reader.fault(item_of(node, second.name).mark,
                 fmt::format("'{}' reads the cookie that '{}' reads: it does not say which of the "
                             "two it is for",
                             second.name, first.name));
  } else if (first.verifier->rules().issuer == second.verifier->rules().issuer) {
    reader.warn(
        item_of(node, second.name).mark,
        fmt::format("'{}' looks where '{}' does, for the same issuer: there the first of the "
                    "two decides alone",
                    second.name, first.name));
  }
}

void check_authenticators(PolicyReader& reader, const YamlNode& node, const RouteDraft& draft) {
  const auto& chosen = draft.route.authenticate;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!chosen[i]->anonymous() && !chosen[j]->anonymous()) {
        check_pair(reader, node, draft, *chosen[j], *chosen[i]);
      }
    }
  }
}

// Whether every place is empty would only be known when the first message did not come.
void warn_of_guests(PolicyReader& reader, const YamlNode& node, const Route& route) {
  if (!route.first_message) {
    return;
  }
  for (const auto& each : route.authenticate) {
    if (each->anonymous()) {
      reader.warn(item_of(node, each->name).mark,
                  fmt::format("'{}' lets nobody in here: a client without a credential is waited "
                              "for, since it may have one in its first message",
                              each->name));
    }
  }
}

// What begins like a credential is stripped as one, so it could never be selected.
void check_subprotocols(PolicyReader& reader, const YamlNode& node, const Route& route) {
  for (std::size_t i = 0; i < route.subprotocols.size(); ++i) {
    for (const auth::CredentialPlace& place : route.places) {
      if (place.kind == auth::CredentialPlace::Kind::Subprotocol &&
          route.subprotocols[i].starts_with(place.name)) {
        const YamlNode& list = node.find("subprotocols")->value;
        const bool complete = list.items.size() == route.subprotocols.size();
        reader.fault(complete ? list.items[i].mark : list.mark,
                     fmt::format("subprotocols: begins like a credential ('{}')", place.name));
      }
    }
  }
}

// One parameter for tokens and tickets: what it holds would be tried as one of them alone.
void check_ticket_parameter(PolicyReader& reader, const YamlNode& node, const Route& route) {
  using Place = auth::CredentialPlace;
  const auto ticket = std::ranges::find(route.places, Place::Kind::Ticket, &Place::kind);
  if (ticket != route.places.end() &&
      std::ranges::find(route.places, Place{Place::Kind::Query, ticket->name}) !=
          route.places.end()) {
    reader.fault(
        mark_at(node, "authenticate"),
        fmt::format("authenticate: the query parameter '{}' is a ticket's here, and cannot "
                    "be a token's",
                    ticket->name));
  }
}

void warn_of_forwarding(PolicyReader& reader, const YamlNode& node, const Route& route) {
  if (node.find("backend")) {
    return;
  }
  for (const auto& [name, asked] :
       {std::pair("forward_credentials", route.forward_credentials),
        std::pair("forward_claims", route.forward_claims.has_value())}) {
    if (asked) {
      reader.warn(mark_at(node, name), fmt::format("{}: without 'backend' nobody is told", name));
    }
  }
}

void warn_of_warning(PolicyReader& reader, const YamlNode& node, const Route& route) {
  const YamlEntry* expiry = node.find("token_expiry");
  const YamlEntry* warn = expiry ? expiry->value.find("warn") : nullptr;
  if (warn && (!route.rooms || route.rooms->json)) {
    reader.warn(warn->value.mark,
                "warn: only clients of 'messages: rooms' are told that their token ends");
  }
}

Route finished(PolicyReader& reader, const YamlNode& node, RouteDraft draft) {
  Route route = std::move(draft.route);
  route.line = node.mark.line;
  route.key = route_key(route.hosts, route.path.text());
  route.id = route_id(route.hosts, route.path.text());
  route.origins_line = mark_at(node, "origins").line;
  route.connection_limits = draft.limits.connection;
  route.ip_limits = draft.limits.ip;
  route.subject_limits = draft.limits.subject;
  // A bucket that cannot hold one message would never let it pass.
  if (auto& octets = route.connection_limits.octets; octets.limited()) {
    octets.permits_max =
        std::max(octets.permits_max, static_cast<double>(route.message_octets_max));
  }
  route.lifetime = {draft.token_expiry.warn, draft.token_expiry.grace, draft.session_max};
  finish_rooms(reader, node, std::move(draft.rooms), draft.limits, route);
  warn_of_warning(reader, node, route);
  warn_of_forwarding(reader, node, route);
  return route;
}

bool every_host_of(const Route& later, const Route& earlier) {
  if (earlier.hosts.empty()) {
    return true;
  }
  return !later.hosts.empty() &&
         std::all_of(later.hosts.begin(), later.hosts.end(), [&earlier](const std::string& host) {
           return std::find(earlier.hosts.begin(), earlier.hosts.end(), host) !=
                  earlier.hosts.end();
         });
}

void warn_of_unreachable(PolicyReader& reader, const YamlNode& list,
                         const std::vector<Route>& routes) {
  for (std::size_t later = 1; later < routes.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (every_host_of(routes[later], routes[earlier]) &&
          routes[earlier].path.covers(routes[later].path)) {
        reader.warn(mark_at(list.items[later], "path"),
                    fmt::format("never reached: the route in line {} takes '{}' before it",
                                routes[earlier].line, routes[earlier].path.text()));
        break;
      }
    }
  }
}

}  // namespace

std::vector<KeyShape> route_shapes() { return shapes_of(route_keys({}, {})); }

std::vector<Route> read_routes(PolicyReader& reader, const YamlNode& node,
                               const Authenticators& authenticators, const Backends& backends) {
  std::vector<Route> routes;
  if (node.kind != YamlNode::Kind::Sequence || node.items.empty() ||
      node.items.size() > policy_names_max) {
    reader.unexpected(node, fmt::format("a list of 1 to {} routes", policy_names_max));
    return routes;
  }
  const auto keys = route_keys(authenticators, backends);
  const std::size_t before = reader.fault_count();
  for (const YamlNode& item : node.items) {
    RouteDraft draft;
    if (read_keys(reader, item, keys, draft)) {
      check_origins(reader, item, draft.route);
      check_authenticators(reader, item, draft);
      check_subprotocols(reader, item, draft.route);
      check_ticket_parameter(reader, item, draft.route);
      warn_of_guests(reader, item, draft.route);
      draft.route.index = routes.size();
      routes.push_back(finished(reader, item, std::move(draft)));
    }
  }
  if (reader.fault_count() == before) {
    warn_of_unreachable(reader, node, routes);
    warn_of_rooms(reader, node, routes);
  }
  return routes;
}

}  // namespace gateway
