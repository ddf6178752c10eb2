// Conditions in a policy: {claim: plan, in: [pro, team]}.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "auth/condition.h"
#include "gateway/policy_reader.h"

namespace gateway {

inline constexpr int condition_depth_max = 8;
inline constexpr std::size_t condition_values_max = 1000;  // of one list
inline constexpr std::size_t claim_name_octets_max = 256;

// A claim's exact name, or a JSON Pointer (RFC 6901 section 3) where it begins with '/'.
Type<std::string> claim_name();

// Names that a pattern captures; none: nobody knows, since the pattern is wrong.
using CaptureNames = std::optional<std::vector<std::string_view>>;

// A condition at the handshake, such as `allow`. `captures`: what {name} in a value may stand for.
std::optional<auth::Condition> read_condition(PolicyReader& reader, const YamlNode& node,
                                              const CaptureNames& captures);

// A condition of a room rule, which alone may be a capability. `captures`: the path's too.
std::optional<auth::Condition> read_room_condition(PolicyReader& reader, const YamlNode& node,
                                                   const CaptureNames& captures);

}  // namespace gateway
