// One parsed key with the algorithms that it may serve, and who asks for it.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/algorithm.h"
#include "auth/key_error.h"
#include "auth/openssl.h"
#include "auth/principal.h"

namespace auth {

// What a source says of its key, whatever its type.
struct KeyTerms {
  AlgorithmSet algorithms;  // that the key's owner and the authenticator allow
  std::string key_id;       // kid; empty: none
  std::optional<WallTime> not_after;
  std::uint64_t fingerprint = 0;  // of what it is made of; set by who makes the key
};

class Key {
 public:
  virtual ~Key() = default;
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;

  bool serves(Algorithm algorithm) const { return terms_.algorithms.contains(algorithm); }

  // kid; empty: it has no name of its own.
  const std::string& key_id() const { return terms_.key_id; }

  // 64 bits of a SHA-256 of the public key or the secret: the same in whatever source the key
  // stands, under whichever name. Never 0.
  std::uint64_t fingerprint() const { return terms_.fingerprint; }

  bool over(WallTime now) const { return terms_.not_after && now >= *terms_.not_after; }

  // Is this the signature of `signing_input`? Only for an algorithm that the key serves. Any number
  // of threads may ask at once.
  virtual bool verifies(Algorithm algorithm, std::string_view signing_input,
                        std::string_view signature) const = 0;

 protected:
  explicit Key(KeyTerms terms) : terms_(std::move(terms)) {}

  KeyTerms terms_;
};

using OwnedVerificationKey = std::unique_ptr<const Key>;

// For the HMAC algorithms among `terms.algorithms`; an error where there is none, or the secret is
// short.
std::expected<OwnedVerificationKey, KeyError> make_secret_key(std::string_view secret,
                                                              KeyTerms terms);

// For those among `terms.algorithms` that are of the key's type; an error where there is none, or
// the key is weak.
std::expected<OwnedVerificationKey, KeyError> make_public_key(OwnedKey key, KeyTerms terms);

}  // namespace auth
