// What `{name}` stands for in a value of the policy: captured from a path or a room name.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace auth {

using Captures = std::span<const std::pair<std::string_view, std::string_view>>;

// A letter or '_', then letters, digits and '_'. Braces around anything else are only braces.
bool valid_capture_name(std::string_view name);

// The names that `text` asks for, in order: the policy is wrong where nothing captures one.
std::vector<std::string_view> capture_names(std::string_view text);

// `text` with each {name} replaced, once: what was captured is not read again. Nothing if a name
// was not captured: such a value equals no claim.
std::optional<std::string> substitute(std::string_view text, Captures captures);

}  // namespace auth
