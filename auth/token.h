// Verification of bearer tokens: JWTs (RFC 7519) in compact serialization, by the rules of RFC
// 8725. Reading is in two steps, since `iss` chooses who verifies: parse_token(), then one
// TokenVerifier.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/key_set.h"
#include "auth/principal.h"
#include "auth/scalar.h"
#include "auth/subject.h"

namespace auth {

inline constexpr std::size_t token_octets_max = 8 * 1024;

enum class TokenError : std::uint8_t {
  TooLong,
  Malformed,            // not three segments of strict base64url, or not JSON objects
  DuplicateName,        // in the JOSE header or the claims
  CriticalExtension,    // crit is there (RFC 7515 section 4.1.11)
  WrongType,            // typ is neither absent, "JWT" nor "at+jwt"
  AlgorithmNotAllowed,  // RFC 8725 section 3.1: the key says which algorithm, never the token
  UnknownKey,
  BadSignature,
  UnknownIssuer,  // no authenticator of the route is for this iss
  WrongIssuer,
  WrongAudience,
  MissingExpiry,  // exp is not there or not a number
  Expired,
  NotYetValid,  // nbf or iat too far ahead
  LifetimeTooLong,
  BadSubject,
  MissingTokenId,  // a token that opens one connection only has a jti
  RequiredClaim,   // a claim of `require` is not there or differs
};
inline constexpr auto last_token_error = TokenError::RequiredClaim;

// For logs and the audit trail: lower case with underscores.
std::string_view name_of(TokenError error);

// A token that has been read but not verified: nothing of it may be believed but where to look for
// its key. Views are into the token it was parsed from.
struct ParsedToken {
  std::string_view signing_input;  // RFC 7515 section 5.1
  std::string signature;           // decoded
  std::string algorithm;           // alg
  std::string key_id;              // kid; empty: none
  std::string issuer;              // iss; empty: none
  Claims claims;
};

std::expected<ParsedToken, TokenError> parse_token(std::string_view token);

struct RequiredClaim {
  std::string name;
  Scalar value;
};

struct TokenRules {
  std::string authenticator;  // name in the policy
  std::string subject_prefix;
  std::optional<std::string> issuer;  // none: any
  std::vector<std::string> audience;  // empty: any
  std::vector<Algorithm> algorithms;
  std::string subject_claim = "sub";  // a claim's exact name, or a JSON Pointer
  std::chrono::milliseconds leeway{30'000};
  std::chrono::milliseconds max_lifetime{24 * 3'600'000};
  std::vector<RequiredClaim> require;
  bool once = false;  // a jti opens one connection only
};

// Immutable; one instance may be used from all workers at once.
class TokenVerifier {
 public:
  TokenVerifier(TokenRules rules, std::shared_ptr<const KeySet> keys);

  std::expected<Principal, TokenError> verify(const ParsedToken& token, WallTime now) const {
    return verify(token, *keys_, now);
  }
  // With other keys than its own.
  std::expected<Principal, TokenError> verify(const ParsedToken& token, const KeySet& keys,
                                              WallTime now) const;

  const KeySet& keys() const { return *keys_; }

  const TokenRules& rules() const { return rules_; }

 private:
  TokenRules rules_;
  std::shared_ptr<const KeySet> keys_;
};

}  // namespace auth
