// The keys that tokens are verified with: JWK Sets (RFC 7517), PEM files and shared secrets, parsed
// once. A key has exactly one algorithm where its source names one, and otherwise only those of its
// type (an RSA key never verifies HS256). Copies of a set share its keys.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/algorithm.h"
#include "auth/key_error.h"
#include "auth/principal.h"

namespace auth {

class Key;  // one parsed key with the algorithms it may serve; auth/key.h

class KeySet {
 public:
  static constexpr std::size_t keys_max = 256;
  static constexpr std::size_t keys_tried_max = 16;  // for one token
  static constexpr std::size_t jwk_set_octets_max = 1024 * 1024;
  static constexpr std::size_t secret_octets_min = 32;
  static constexpr int rsa_bits_min = 2048;

  // Each adds to the set, or says why not and adds nothing. `not_after`: the key verifies nothing
  // from then on. `algorithms`: those that the authenticator allows; a key that fits none of them
  // is an error.
  std::expected<void, KeyError> add_secret(std::string_view secret,
                                           const std::vector<Algorithm>& algorithms,
                                           std::optional<WallTime> not_after = {});
  // One public key or certificate; never a private key, which has no business on this machine.
  std::expected<void, KeyError> add_pem(std::string_view pem,
                                        const std::vector<Algorithm>& algorithms,
                                        std::optional<WallTime> not_after = {});
  // Every key of the set must be usable; an error names its index.
  std::expected<void, KeyError> add_jwk_set(std::string_view json,
                                            const std::vector<Algorithm>& algorithms,
                                            std::optional<WallTime> not_after = {});

  // The same for a set that somebody else keeps and that was fetched: what is of no use here
  // (another `use`, an algorithm that is not allowed, a weak key, a secret, which is none where it
  // has a URL) is left out. An error where the set as a whole is none, or nothing would be left of
  // it.
  struct LeftOut {
    std::size_t keys = 0;
    std::string first;  // of them, and why; empty: there is none
  };
  std::expected<LeftOut, KeyError> add_fetched_jwk_set(std::string_view json,
                                                       const std::vector<Algorithm>& algorithms,
                                                       std::optional<WallTime> not_after = {});

  // The keys of a set that was added to by one of the above; together they may be more than
  // keys_max. They are not its own: whoever they come from may send others at any time.
  void add_keys_of(const KeySet& other);

  enum class Verdict : std::uint8_t { Verified, UnknownKey, BadSignature };

  // Is this the signature of `signing_input` by a key of this set for `algorithm`? Tried are, at
  // most keys_tried_max of them in the order added, the keys named `key_id` and those that have no
  // name (secrets, PEM files); with an empty `key_id` every key of that algorithm.
  // Where it is, `verified_by` gets that key's fingerprint if it is one of its own, else 0.
  Verdict verify(Algorithm algorithm, std::string_view key_id, std::string_view signing_input,
                 std::string_view signature, WallTime now,
                 std::uint64_t* verified_by = nullptr) const;

  std::size_t size() const;

  // Is there at least one key for it? (`algorithms` that fit no key are a policy error.)
  bool serves(Algorithm algorithm) const;

  // Is there a key for it that has exactly this name? Never for an empty one.
  bool names(Algorithm algorithm, std::string_view key_id) const;

  // Is a key of this fingerprint (auth/key.h) among its own?
  bool owns(std::uint64_t fingerprint) const;

 private:
  using Keys = std::vector<std::shared_ptr<const Key>>;

  std::expected<void, KeyError> add(Keys keys);
  std::expected<void, KeyError> add_one(std::expected<std::unique_ptr<const Key>, KeyError> key);

  Keys keys_;            // its own come first
  std::size_t own_ = 0;  // so many
};

}  // namespace auth
