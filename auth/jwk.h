// JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).
#pragma once

#include <expected>
#include <optional>

#include "auth/key.h"

struct json_t;

namespace auth {

// One member of a JWK Set. `alg`, `use` and `key_ops` are honoured: an error where they say that it
// verifies nothing, or nothing that `allowed` has.
std::expected<OwnedVerificationKey, KeyError> parse_jwk(const json_t* jwk, AlgorithmSet allowed,
                                                        std::optional<WallTime> not_after);

}  // namespace auth
