#include "gateway/policy_rooms.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "gateway/policy_values.h"
#include "gateway/room_key.h"
#include "gateway/utf8_text.h"

namespace gateway {

namespace {

using Kind = Messages::Kind;

// --- messages ---

// A word of the policy that is a bool of ours.
Type<bool> either(std::string_view yes, std::string_view no) {
  return choice<bool>({{yes, true}, {no, false}});
}

Type<JsonPath> pointer_type() {
  return parsed<JsonPath>("a JSON Pointer such as /op", parse_json_path);
}

Type<std::vector<std::string>> actions_type(std::size_t count_min) {
  return list_of(text(1, json_action_octets_max), count_min, json_actions_max);
}

const std::vector<Key<JsonDialect>>& json_keys() {
  static const std::vector<Key<JsonDialect>> keys = {
      mandatory(key("action", pointer_type(), &JsonDialect::action)
                    .says("where a message says what it is; at most 8 segments")),
      mandatory(key("room", pointer_type(), &JsonDialect::room)
                    .says("where it says which room it is about")),
      // Only members hear and speak: without a way to join there is nothing to check.
      mandatory(key("join", actions_type(1), &JsonDialect::join)
                    .says("the actions that mean it; of each list at most 64")),
      key("leave", actions_type(0), &JsonDialect::leave).says("the same"),
      key("publish", actions_type(0), &JsonDialect::publish).says("the same"),
      key("other", other_passes_type(), &JsonDialect::other_passes, "deny")
          .says("messages of another action: `allow` passes them to the backend"),
      key("on_denied", either("close", "drop"), &JsonDialect::close_on_denied, "drop")
          .says("what becomes of a message, or of its connection, that may not be"),
  };
  return keys;
}

// An action means one thing. What is shown is what stands in the file, variables not replaced.
void check_actions(PolicyReader& reader, const YamlNode& node, const JsonDialect& dialect) {
  std::map<std::string_view, std::string_view> meanings;
  const std::pair<std::string_view, const std::vector<std::string>*> lists[] = {
      {"join", &dialect.join}, {"leave", &dialect.leave}, {"publish", &dialect.publish}};
  for (const auto& [meaning, actions] : lists) {
    for (std::size_t i = 0; i < actions->size(); ++i) {
      auto [before, added] = meanings.emplace((*actions)[i], meaning);
      if (!added) {
        const YamlNode& item = node.find(meaning)->value.items[i];
        reader.fault(item.mark, fmt::format("{}: '{}' stands in '{}' already", meaning,
                                            printable(item.text), before->second));
      }
    }
  }
}

// Both are strings, so neither is the other or lies within it.
void check_pointers(PolicyReader& reader, const YamlNode& node, const JsonDialect& dialect) {
  const auto& action = dialect.action.segments;
  const auto& room = dialect.room.segments;
  auto [in_action, in_room] =
      std::mismatch(action.begin(), action.end(), room.begin(), room.end(),
                    [](const auto& a, const auto& b) { return a.name == b.name; });
  if (in_action == action.end() || in_room == room.end()) {
    reader.fault(mark_at(node, "room"), "room: points at the action, or into it or around it");
  }
}

std::optional<JsonDialect> read_json(PolicyReader& reader, const YamlNode& node) {
  JsonDialect dialect;
  const std::size_t before = reader.fault_count();
  if (!read_keys(reader, node, json_keys(), dialect)) {
    return std::nullopt;
  }
  if (reader.fault_count() == before) {
    check_actions(reader, node, dialect);
    check_pointers(reader, node, dialect);
  }
  return dialect;
}

constexpr std::string_view expected_messages = "'opaque', 'rooms' or a mapping with 'json'";

std::optional<Messages> read_messages(PolicyReader& reader, const YamlNode& node) {
  if (node.kind == YamlNode::Kind::Map) {
    reader.check_keys(node, {"json"});
    const YamlEntry* json = node.find("json");
    if (!json) {
      reader.unexpected(node, expected_messages);
      return std::nullopt;
    }
    auto dialect = read_json(reader, json->value);
    return Messages{Kind::Json, dialect ? std::move(*dialect) : JsonDialect()};
  }
  auto word = reader.text(node, expected_messages);
  if (!word) {
    return std::nullopt;
  }
  if (word->value == "opaque") return Messages{Kind::Opaque, {}};
  if (word->value == "rooms") return Messages{Kind::Rooms, {}};
  reader.unexpected(node, expected_messages);
  return std::nullopt;
}

// --- rules ---

struct RuleDraft {
  std::optional<auth::RoomPattern> match;
  CaptureNames captures;  // of the pattern and the path; none: one of them is wrong
  auth::Condition join;   // nobody
  auth::Condition publish;
};

std::optional<auth::RoomPattern> read_pattern(PolicyReader& reader, const YamlNode& node) {
  auto text = reader.text(node, "a room pattern");
  if (!text) {
    return std::nullopt;
  }
  auto pattern = auth::RoomPattern::parse(text->value);
  if (!pattern) {
    // The error may quote the pattern, and there may be a variable's value in it.
    reader.wrong(node.mark,
                 text->replaced ? "no room pattern once variables are replaced" : pattern.error());
    return std::nullopt;
  }
  return std::move(*pattern);
}

void read_match(PolicyReader& reader, const YamlEntry& entry, const CaptureNames& path,
                RuleDraft& draft) {
  draft.match = read_pattern(reader, entry.value);
  if (!draft.match || !path) {
    return;
  }
  auto names = draft.match->capture_names();
  for (std::string_view name : names) {
    if (std::find(path->begin(), path->end(), name) != path->end()) {
      reader.wrong(entry.value.mark,
                   fmt::format("'{{{}}}' is a capture of the path too: which one a condition means "
                               "must be clear",
                               name));
    }
  }
  names.insert(names.end(), path->begin(), path->end());
  draft.captures = std::move(names);
}

Key<RuleDraft> permission(std::string name, auth::Condition RuleDraft::*member) {
  auto read = [member](PolicyReader& reader, const YamlEntry& entry, RuleDraft& draft) {
    if (auto condition = read_room_condition(reader, entry.value, draft.captures)) {
      draft.*member = std::move(*condition);
    }
  };
  return key<RuleDraft>(std::move(name), "a condition", "", read).if_left_out("`nobody`");
}

std::vector<Key<RuleDraft>> rule_keys(const CaptureNames& path) {
  auto match = [&path](PolicyReader& reader, const YamlEntry& entry, RuleDraft& draft) {
    read_match(reader, entry, path, draft);
  };
  return {
      mandatory(key<RuleDraft>("match", "a room pattern", "", match)
                    .says("the first rule that matches decides; a room that none matches is "
                          "closed")),
      permission("join", &RuleDraft::join).says("who may be in it, and so hear it"),
      permission("publish", &RuleDraft::publish).says("who of its members may speak in it"),
  };
}

// --- what several keys say together ---

// A key of the route, or of its limits.
const YamlEntry* find_limit(const YamlNode& node, std::string_view name) {
  const YamlEntry* limits = node.find("limits");
  return limits ? limits->value.find(name) : nullptr;
}

struct Misfit {
  const YamlEntry* entry;  // null: left out, which always fits
  bool fits;
  std::string_view why;
};

void say(PolicyReader& reader, std::initializer_list<Misfit> misfits) {
  for (const Misfit& each : misfits) {
    if (each.entry && !each.fits) {
      reader.fault(each.entry->key_mark, fmt::format("{}: {}", each.entry->key, each.why));
    }
  }
}

// What says that a feature is off is true here, too.
void check_opaque(PolicyReader& reader, const YamlNode& node, const RoomsDraft& draft) {
  constexpr std::string_view not_read =
      "the messages of this route are opaque: 'messages: rooms' is what reads them";
  say(reader,
      {
          {node.find("rooms"), false, not_read},
          {node.find("deliver"), draft.deliver.value_or(Deliver::Backend) == Deliver::Backend,
           not_read},
          {node.find("acknowledge"), !draft.backend_acknowledges.value_or(false), not_read},
          {node.find("backend_broadcast"), !draft.backend_broadcast.value_or(false), not_read},
          {node.find("other"), !draft.other_passes.value_or(false), not_read},
          {node.find("room_space"), draft.space.value_or("").empty(), not_read},
          {find_limit(node, "room"), false, not_read},
          {find_limit(node, "rooms_per_connection"), false, not_read},
      });
}

void check_without_backend(PolicyReader& reader, const YamlNode& node, const RoomsDraft& draft,
                           Kind kind) {
  say(reader,
      {
          {node.find("messages"), kind == Kind::Rooms,
           kind == Kind::Opaque ? "opaque ones go to a backend, and the route has no 'backend'"
                                : "the gateway says nothing of its own in another protocol: "
                                  "without 'backend' nobody would"},
          {node.find("deliver"), draft.deliver.value_or(Deliver::Room) == Deliver::Room,
           "without 'backend' there is only the room to deliver to"},
          {node.find("acknowledge"), !draft.backend_acknowledges.value_or(false),
           "without 'backend' there is only the gateway to answer"},
          {node.find("backend_broadcast"), !draft.backend_broadcast.value_or(false),
           "without 'backend' nobody can broadcast"},
          {node.find("other"), !draft.other_passes.value_or(false),
           "without 'backend' there is nobody for messages of another type"},
      });
}

// In a protocol that is not its own the gateway says nothing (CONTRACT section 4).
void check_json(PolicyReader& reader, const YamlNode& node, const RoomsDraft& draft) {
  say(reader,
      {
          {node.find("deliver"), draft.deliver.value_or(Deliver::Backend) == Deliver::Backend,
           "in another protocol the gateway says nothing of its own: only the backend delivers"},
          {node.find("acknowledge"), draft.backend_acknowledges.value_or(true),
           "in another protocol the gateway says nothing of its own: only the backend answers"},
          {node.find("backend_broadcast"), !draft.backend_broadcast.value_or(false),
           "in another protocol the gateway says nothing of its own, broadcasts included"},
          {node.find("other"), false, "of 'messages: json' it stands inside of 'json'"},
      });
}

void check_sizes(PolicyReader& reader, const YamlNode& node, const Route& route) {
  if (route.message_octets_max > read_message_octets_limit) {
    reader.fault(mark_at(node, "max_message"),
                 fmt::format("max_message: at most {} where messages are read, since each is held "
                             "as a whole",
                             show_size(read_message_octets_limit)));
  }
}

// Whose messages are the gateway's own can be told what was wrong.
void finish_on_exceed(PolicyReader& reader, const YamlNode& node, Kind kind,
                      const RouteLimits& limits, Route& route) {
  const OnExceed otherwise = kind == Kind::Rooms ? OnExceed::Error : OnExceed::Throttle;
  route.connection_limits.on_exceed = limits.on_exceed.value_or(otherwise);
  if (limits.on_exceed != OnExceed::Error || kind == Kind::Rooms) {
    return;
  }
  reader.fault(mark_at(find_limit(node, "connection")->value, "on_exceed"),
               fmt::format("on_exceed: {} cannot answer with 'error': it can 'drop', 'throttle' "
                           "or 'close'",
                           kind == Kind::Opaque ? "an opaque route" : "a route with 'json'"));
}

RoomSettings settings_of(RoomsDraft draft, const YamlNode& node, const RouteLimits& limits,
                         bool has_backend) {
  const bool json = draft.messages && draft.messages->kind == Kind::Json;
  RoomSettings settings;
  settings.deliver = draft.deliver.value_or(has_backend ? Deliver::Backend : Deliver::Room);
  settings.backend_acknowledges = json || draft.backend_acknowledges.value_or(false);
  settings.backend_broadcast = draft.backend_broadcast.value_or(false);
  settings.other_passes =
      json ? draft.messages->json.other_passes : draft.other_passes.value_or(false);
  if (json) settings.json = std::move(draft.messages->json);
  settings.space = std::move(draft.space).value_or("");
  settings.rules = std::move(draft.rules);
  if (const YamlEntry* rules = node.find("rooms")) settings.rules_line = rules->key_mark.line;
  settings.room_messages = limits.room;
  settings.rooms_per_connection_max = limits.rooms_per_connection_max;
  return settings;
}

// --- warnings ---

// Values are compared as they are written: places in the file do not matter.
bool same(const auth::Condition& a, const auth::Condition& b) {
  return a.kind == b.kind && a.subjects == b.subjects && a.claim == b.claim &&
         a.values == b.values &&
         std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
                    same);
}

bool same_rule(const auth::RoomRule& a, const auth::RoomRule& b) {
  return a.match.text() == b.match.text() && same(a.join, b.join) && same(a.publish, b.publish);
}

bool same_rules(const RoomSettings& a, const RoomSettings& b) {
  return std::equal(a.rules.begin(), a.rules.end(), b.rules.begin(), b.rules.end(), same_rule);
}

bool takes_all(const auth::RoomPattern& pattern) {
  const std::string& text = pattern.text();
  const bool only_capture = text.starts_with('{') && text.find('}') == text.size() - 1;
  return text.find_first_not_of('*') == std::string::npos || (only_capture && text.ends_with("+}"));
}

bool is_literal(const auth::RoomPattern& pattern) {
  return pattern.text().find_first_of("*{") == std::string::npos;
}

bool covers(const auth::RoomPattern& earlier, const auth::RoomPattern& later) {
  std::vector<std::pair<std::string_view, std::string_view>> captures;
  return takes_all(earlier) || earlier.text() == later.text() ||
         (is_literal(later) && earlier.matches(later.text(), captures));
}

void warn_of_unreachable_rules(PolicyReader& reader, const YamlNode& list,
                               const auth::RoomRules& rules) {
  for (std::size_t later = 1; later < rules.size(); ++later) {
    auto end = rules.begin() + static_cast<std::ptrdiff_t>(later);
    auto earlier = std::find_if(rules.begin(), end, [&](const auth::RoomRule& each) {
      return covers(each.match, rules[later].match);
    });
    if (earlier != end) {
      const YamlNode& taker = list.items[static_cast<std::size_t>(earlier - rules.begin())];
      reader.warn(mark_at(list.items[later], "match"),
                  fmt::format("never reached: the rule in line {} takes '{}' before it",
                              earlier->line, printable(taker.find("match")->value.text)));
    }
  }
}

void warn_of_useless_permissions(PolicyReader& reader, const YamlNode& list,
                                 const auth::RoomRules& rules) {
  using Condition = auth::Condition::Kind;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].join.kind == Condition::Nobody && rules[i].publish.kind != Condition::Nobody) {
      reader.warn(mark_at(list.items[i], "publish"),
                  "nobody may join this room, and only members may publish");
    }
  }
}

// A room is the same room on every route of its space (CONTRACT section 4). Each route is held
// against the first of its space.
void warn_of_shared_rooms(PolicyReader& reader, const YamlNode& list,
                          const std::vector<Route>& routes) {
  std::map<std::string_view, const Route*> first_of_space;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (!routes[i].rooms) {
      continue;
    }
    const Route& first = *first_of_space.emplace(routes[i].rooms->space, &routes[i]).first->second;
    if (!same_rules(*first.rooms, *routes[i].rooms)) {
      reader.warn(mark_at(list.items[i], "rooms"),
                  fmt::format("the routes in lines {} and {} share their rooms and differ in "
                              "'rooms': the most open one decides who is in them ('room_space' "
                              "sets rooms apart)",
                              first.line, routes[i].line));
    }
  }
}

}  // namespace

Type<Messages> messages_type() {
  KeyShape json;
  json.name = "json";
  json.type = "a mapping";
  json.about = "a protocol of the application's own, see \"Rooms\"";
  json.holds = KeyShape::Holds::Mapping;
  json.inner = shapes_of(json_keys());
  return {std::string(expected_messages), read_messages, {std::move(json)}};
}

Type<Deliver> deliver_type() {
  return choice<Deliver>(
      {{"room", Deliver::Room}, {"backend", Deliver::Backend}, {"both", Deliver::Both}});
}

Type<bool> backend_acknowledges_type() { return either("backend", "gateway"); }

Type<bool> other_passes_type() { return either("allow", "deny"); }

Type<std::string> room_space_type() {
  auto parse = [](std::string_view text) -> std::expected<std::string, std::string> {
    if (!valid_room_space(text)) {
      return std::unexpected(
          fmt::format("expected a name of lower-case letters, digits and '-', "
                      "at most {}",
                      room_space_octets_max));
    }
    return std::string(text);
  };
  return parsed<std::string>("a name", parse);
}

std::vector<KeyShape> room_rule_shapes() { return shapes_of(rule_keys(std::nullopt)); }

std::vector<auth::RoomRule> read_room_rules(PolicyReader& reader, const YamlNode& node,
                                            const CaptureNames& path) {
  const auto keys = rule_keys(path);
  Type<auth::RoomRule> rule{
      "a mapping with 'match'",
      [&keys](PolicyReader& inner, const YamlNode& item) -> std::optional<auth::RoomRule> {
        RuleDraft draft;
        if (!read_keys(inner, item, keys, draft) || !draft.match) {
          return std::nullopt;
        }
        return auth::RoomRule{std::move(*draft.match), std::move(draft.join),
                              std::move(draft.publish), item.mark.line};
      }};
  return list_of(std::move(rule), 1, room_rules_max)
      .read(reader, node)
      .value_or(std::vector<auth::RoomRule>());
}

void finish_rooms(PolicyReader& reader, const YamlNode& node, RoomsDraft draft,
                  const RouteLimits& limits, Route& route) {
  const bool has_backend = node.find("backend") != nullptr;
  if (!draft.messages && node.find("messages")) {
    return;  // wrong, and said: what goes with it is not known
  }
  const Kind kind =
      draft.messages ? draft.messages->kind : (has_backend ? Kind::Opaque : Kind::Rooms);
  finish_on_exceed(reader, node, kind, limits, route);
  if (!has_backend) {
    check_without_backend(reader, node, draft, kind);
  } else if (kind == Kind::Json) {
    check_json(reader, node, draft);
  }
  if (kind == Kind::Opaque) {
    if (has_backend) check_opaque(reader, node, draft);
    return;
  }
  check_sizes(reader, node, route);
  route.rooms = settings_of(std::move(draft), node, limits, has_backend);
}

void warn_of_rooms(PolicyReader& reader, const YamlNode& list, const std::vector<Route>& routes) {
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (!routes[i].rooms) {
      continue;
    }
    const YamlEntry* rules = list.items[i].find("rooms");
    if (!rules) {
      reader.warn(list.items[i].mark,
                  "no 'rooms': nobody may join a room of this route, or publish");
      continue;
    }
    warn_of_unreachable_rules(reader, rules->value, routes[i].rooms->rules);
    warn_of_useless_permissions(reader, rules->value, routes[i].rooms->rules);
  }
  warn_of_shared_rooms(reader, list, routes);
}

}  // namespace gateway
