// The keys of a route that are about its messages: what they are, which rooms there are in them,
// and who may join and publish.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "auth/permissions.h"
#include "gateway/json_dialect.h"
#include "gateway/policy_conditions.h"
#include "gateway/policy_limits.h"
#include "gateway/policy_reader.h"

namespace gateway {

inline constexpr std::size_t room_rules_max = 1000;  // of a route: each join may ask them all
inline constexpr std::size_t json_actions_max = 64;  // of one list
inline constexpr std::size_t json_action_octets_max = 256;
// Of what is held as a whole, to be read: as much as a backend may send on such a route.
inline constexpr std::uint64_t read_message_octets_limit = 1024 * 1024;

struct Messages {
  enum class Kind : std::uint8_t { Opaque, Rooms, Json };
  Kind kind = Kind::Opaque;
  JsonDialect json;  // of Json
};

// As they are written; none: left out.
struct RoomsDraft {
  std::optional<Messages> messages;
  std::optional<Deliver> deliver;
  std::optional<bool> backend_acknowledges;
  std::optional<bool> backend_broadcast;
  std::optional<bool> other_passes;
  std::optional<std::string> space;
  std::vector<auth::RoomRule> rules;
};

Type<Messages> messages_type();
Type<Deliver> deliver_type();
Type<bool> backend_acknowledges_type();
Type<bool> other_passes_type();
Type<std::string> room_space_type();

// `path`: the captures of the route's path, which serve in conditions as those of a rule's own do.
std::vector<auth::RoomRule> read_room_rules(PolicyReader& reader, const YamlNode& node,
                                            const CaptureNames& path);
std::vector<KeyShape> room_rule_shapes();

// Puts what several keys say together into the route, whose backend and limits on connections are
// there already, and says what does not go together. `node`: the route's.
void finish_rooms(PolicyReader& reader, const YamlNode& node, RoomsDraft draft,
                  const RouteLimits& limits, Route& route);

// What is no fault, and not what anyone means. Of routes that have none: `list` is their node.
void warn_of_rooms(PolicyReader& reader, const YamlNode& list, const std::vector<Route>& routes);

}  // namespace gateway
