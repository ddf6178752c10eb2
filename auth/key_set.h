// The keys that tokens are verified with: JWK Sets (RFC 7517), PEM files and shared secrets, parsed
// once. A key has exactly one algorithm where its source names one, and otherwise only those of its
// type (an RSA key never verifies HS256).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/principal.h"

namespace auth {

// RFC 7518 section 3.1, RFC 8037 section 3.1.
enum class Algorithm : std::uint8_t {
  HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA,
};

std::optional<Algorithm> parse_algorithm(std::string_view name);  // case-sensitive
std::string_view name_of(Algorithm algorithm);

// What is wrong with a key, as a sentence for the operator; never contains key material.
struct KeyError {
  std::string what;
};

class Key;  // one parsed key with the algorithms it may serve; defined in key_set.cpp

class KeySet {
 public:
  static constexpr std::size_t keys_max = 256;
  static constexpr std::size_t keys_tried_max = 16;  // for a token without kid
  static constexpr std::size_t secret_octets_min = 32;
  static constexpr int rsa_bits_min = 2048;

  KeySet();
  ~KeySet();
  KeySet(KeySet&&) noexcept;
  KeySet& operator=(KeySet&&) noexcept;

  // Each adds to the set or says why not. `not_after`: the key verifies nothing from then on.
  // `algorithms`: those that the authenticator allows; a key that fits none of them is an error.
  std::expected<void, KeyError> add_secret(std::string_view secret,
                                           const std::vector<Algorithm>& algorithms,
                                           std::optional<WallTime> not_after = {});
  std::expected<void, KeyError> add_pem(std::string_view pem,
                                        const std::vector<Algorithm>& algorithms,
                                        std::optional<WallTime> not_after = {});
  std::expected<void, KeyError> add_jwk_set(std::string_view json,
                                            const std::vector<Algorithm>& algorithms,
                                            std::optional<WallTime> not_after = {});

  enum class Verdict : std::uint8_t { Verified, UnknownKey, BadSignature };

  // Is this the signature of `signing_input` by a key of this set for `algorithm`? `key_id` empty:
  // every key of that algorithm is tried, at most keys_tried_max.
  Verdict verify(Algorithm algorithm, std::string_view key_id, std::string_view signing_input,
                 std::string_view signature, WallTime now) const;

  std::size_t size() const;

  // Is there at least one key for it? (`algorithms` that fit no key are a policy error.)
  bool serves(Algorithm algorithm) const;

 private:
  std::vector<std::unique_ptr<const Key>> keys_;
};

}  // namespace auth
