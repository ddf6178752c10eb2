// The reference of all keys of a policy, as it stands in the README.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/policy_shape.h"

namespace gateway {

// A table in Markdown, a row for each key in the order in which they are read.
std::string write_policy_reference(const std::vector<KeyShape>& keys);

// What stands between this and the end of the table is written by with_policy_reference().
inline constexpr std::string_view policy_reference_begin =
    "<!-- every key: written by build/tests/gateway/policy_reference, do not edit -->\n";
inline constexpr std::string_view policy_reference_end = "<!-- end of every key -->\n";

// `document` with the reference between these two lines; none: it does not have both.
std::optional<std::string> with_policy_reference(std::string_view document,
                                                 std::string_view reference);

}  // namespace gateway
