// YAML -> Policy, strictly: an unknown key, a duplicate key, a wrong type, an unset variable or a
// value out of bounds is an error with its place.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/policy.h"
#include "gateway/policy_shape.h"

namespace gateway {

struct PolicyError {
  std::string file;
  int line = 0;  // 1-based; 0: the file as a whole
  int column = 0;
  std::string what;

  std::string to_string() const;  // policy.yaml:12:5: what
};

struct LoadedPolicy {
  std::shared_ptr<const Policy> policy;
  std::vector<PolicyError> warnings;
};

// Where ${NAME} comes from; none: unset.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

// Reads the file and those that it names (relative to its own folder). All faults found, at least
// one, in the order of the file.
std::expected<LoadedPolicy, std::vector<PolicyError>> load_policy(const std::string& file,
                                                                  const Environment& environment);

// The same for text in memory: for tests and the fuzzer. `file` names it in errors and says where
// relative paths begin; `now` is when it is loaded.
std::expected<LoadedPolicy, std::vector<PolicyError>> parse_policy(const std::string& file,
                                                                   std::string_view text,
                                                                   const Environment& environment,
                                                                   auth::WallTime now = {});

// Where the admin listener is by that policy, whatever else is wrong with it: who asks how a
// running instance is must not be told about what is being edited meanwhile.
std::expected<proxy::SocketAddress, std::vector<PolicyError>> find_admin_address(
    const std::string& file, std::string_view text, const Environment& environment);
std::expected<proxy::SocketAddress, std::vector<PolicyError>> load_admin_address(
    const std::string& file, const Environment& environment);

// Of the top level, and within them of all.
std::vector<KeyShape> policy_shapes();

}  // namespace gateway
