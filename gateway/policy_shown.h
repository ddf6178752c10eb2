// The policy as an admin is shown it (GET /v1/policy): what the file says, as JSON, without what is
// secret in it.
//
// A secret is what is read as one (policy_reader.h): "***". What else a variable stands in is shown
// as the file has it, "${NAME}", since the environment is where secrets are; but for numbers,
// times, sizes, addresses and the like, which are none.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "gateway/yaml_reader.h"

namespace gateway {

inline constexpr std::string_view secret_shown = "***";

// What scalars are shown as in place of what the file says, by their places: an alias of a secret
// stands where the secret does.
using ShownScalars = std::map<Mark, std::string>;

// Whether a value with a variable in it may be shown.
bool no_secret(std::string_view value);

std::string shown_policy(const YamlNode& root, const ShownScalars& shown);

}  // namespace gateway
