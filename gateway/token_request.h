// A token that an authenticator of the policy takes, for trying things out: the `token` command
// without its files.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "auth/principal.h"
#include "gateway/policy.h"

namespace gateway {

struct TokenRequest {
  std::string authenticator;
  std::string subject;
  std::vector<std::string> claims;  // name=value; the value is JSON where it is, else text
  std::chrono::milliseconds lifetime{};
  std::optional<std::string> private_key;  // PEM; none: the authenticator's first secret
};

// With `iss`, `aud`, `require`, the subject and, for `once`, a `jti` as the policy wants them;
// --claim comes last and wins. The error is a sentence without key material.
std::expected<std::string, std::string> make_token(const Policy& policy,
                                                   const TokenRequest& request, auth::WallTime now);

}  // namespace gateway
