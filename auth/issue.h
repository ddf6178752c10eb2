// Issuing a token, for the `token` command and for tests: JWS compact serialization (RFC 7515
// section 7.1) of claims that the caller has made up.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "auth/algorithm.h"
#include "auth/key_error.h"

namespace auth {

// `key`: the shared secret for the HMAC algorithms, otherwise a private key in PEM, held to the
// same rules as the keys that verify. `claims_json`: one JSON object. `key_id`: kid; empty: none.
std::expected<std::string, KeyError> issue_token(Algorithm algorithm, std::string_view key,
                                                 std::string_view claims_json,
                                                 std::string_view key_id = {});

}  // namespace auth
