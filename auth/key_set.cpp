#include "auth/key_set.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "auth/json.h"
#include "auth/jwk.h"
#include "auth/key.h"
#include "auth/pem.h"

namespace auth {
namespace {

std::unexpected<KeyError> fault(std::string what) { return std::unexpected(KeyError{what}); }

std::string place_of(std::size_t index, const KeyError& error) {
  return "keys[" + std::to_string(index) + "]: " + error.what;
}

// RFC 7517 section 5.
std::expected<OwnedJson, KeyError> parse_jwk_set(std::string_view json) {
  if (json.size() > KeySet::jwk_set_octets_max) {
    return fault("a JWK Set of more than " + std::to_string(KeySet::jwk_set_octets_max) +
                 " octets");
  }
  auto set = parse_json_object(json);
  if (!set) {
    return fault(set.error() == JsonError::DuplicateName
                     ? "a name twice in one object of the JWK Set"
                     : "no JWK Set: not one JSON object, or nested too deeply");
  }
  const json_t* keys = json_object_get(set->get(), "keys");
  if (!json_is_array(keys) || json_array_size(keys) == 0) {
    return fault("no JWK Set: 'keys' is not there, no array, or empty");
  }
  return *std::move(set);
}

}  // namespace

std::expected<void, KeyError> KeySet::add(Keys keys) {
  if (keys_.size() + keys.size() > keys_max) {
    return fault("more than " + std::to_string(keys_max) + " keys");
  }
  // Before those that are not its own.
  keys_.insert(keys_.begin() + static_cast<std::ptrdiff_t>(own_),
               std::make_move_iterator(keys.begin()), std::make_move_iterator(keys.end()));
  own_ += keys.size();
  return {};
}

std::expected<void, KeyError> KeySet::add_one(
    std::expected<std::unique_ptr<const Key>, KeyError> key) {
  if (!key) return std::unexpected(key.error());
  return add({*std::move(key)});
}

std::expected<void, KeyError> KeySet::add_secret(std::string_view secret,
                                                 const std::vector<Algorithm>& algorithms,
                                                 std::optional<WallTime> not_after) {
  if (secret.contains("-----BEGIN ")) {
    // Whoever knows this public key could MAC tokens with it.
    return fault("a key in PEM is no secret: it belongs into 'pem_file'");
  }
  return add_one(make_secret_key(secret, {AlgorithmSet(algorithms), {}, not_after}));
}

std::expected<void, KeyError> KeySet::add_pem(std::string_view pem,
                                              const std::vector<Algorithm>& algorithms,
                                              std::optional<WallTime> not_after) {
  auto key = parse_public_pem(pem);
  if (!key) return std::unexpected(key.error());
  return add_one(make_public_key(*std::move(key), {AlgorithmSet(algorithms), {}, not_after}));
}

std::expected<void, KeyError> KeySet::add_jwk_set(std::string_view json,
                                                  const std::vector<Algorithm>& algorithms,
                                                  std::optional<WallTime> not_after) {
  const auto set = parse_jwk_set(json);
  if (!set) return std::unexpected(set.error());
  const json_t* members = json_object_get(set->get(), "keys");
  Keys keys;
  for (std::size_t index = 0; index < json_array_size(members); ++index) {
    auto key = parse_jwk(json_array_get(members, index), AlgorithmSet(algorithms), not_after);
    if (!key) return fault(place_of(index, key.error()));
    keys.push_back(*std::move(key));
  }
  return add(std::move(keys));
}

std::expected<KeySet::LeftOut, KeyError> KeySet::add_fetched_jwk_set(
    std::string_view json, const std::vector<Algorithm>& algorithms,
    std::optional<WallTime> not_after) {
  const auto set = parse_jwk_set(json);
  if (!set) return std::unexpected(set.error());
  const json_t* members = json_object_get(set->get(), "keys");
  const std::size_t count = json_array_size(members);
  if (count > keys_max) return fault("more than " + std::to_string(keys_max) + " keys");
  // Whoever can read the URL could MAC tokens with a secret that stands there.
  AlgorithmSet signatures;
  for (const Algorithm each : algorithms) {
    if (!hmac_algorithms.contains(each)) signatures.add(each);
  }
  Keys keys;
  LeftOut left_out;
  for (std::size_t index = 0; index < count; ++index) {
    auto key = parse_jwk(json_array_get(members, index), signatures, not_after);
    if (key) {
      keys.push_back(*std::move(key));
    } else if (++left_out.keys == 1) {
      left_out.first = place_of(index, key.error());
    }
  }
  if (keys.empty()) return fault("no key of the set is of use: " + left_out.first);
  if (auto added = add(std::move(keys)); !added) return std::unexpected(added.error());
  return left_out;
}

void KeySet::add_keys_of(const KeySet& other) {
  std::ranges::copy(other.keys_, std::back_inserter(keys_));
}

KeySet::Verdict KeySet::verify(Algorithm algorithm, std::string_view key_id,
                               std::string_view signing_input, std::string_view signature,
                               WallTime now, std::uint64_t* verified_by) const {
  std::size_t tried = 0;
  const auto verified_by_key_named = [&](std::string_view name, bool any_name) {
    for (std::size_t index = 0; index < keys_.size(); ++index) {
      const auto& key = keys_[index];
      if (tried == keys_tried_max) return false;
      if (!any_name && key->key_id() != name) continue;
      if (!key->serves(algorithm) || key->over(now)) continue;
      ++tried;
      if (!key->verifies(algorithm, signing_input, signature)) continue;
      if (verified_by) *verified_by = index < own_ ? key->fingerprint() : 0;
      return true;
    }
    return false;
  };
  // The key that the token names comes first, so that it is among those tried. A key without a name
  // of its own (a secret, a PEM file) may be the one that is meant as well.
  const bool verified =
      key_id.empty() ? verified_by_key_named({}, true)
                     : verified_by_key_named(key_id, false) || verified_by_key_named({}, false);
  if (verified) return Verdict::Verified;
  return tried == 0 ? Verdict::UnknownKey : Verdict::BadSignature;
}

std::size_t KeySet::size() const { return keys_.size(); }

bool KeySet::serves(Algorithm algorithm) const {
  return std::ranges::any_of(keys_, [&](const auto& key) { return key->serves(algorithm); });
}

bool KeySet::names(Algorithm algorithm, std::string_view key_id) const {
  return !key_id.empty() && std::ranges::any_of(keys_, [&](const auto& key) {
    return key->key_id() == key_id && key->serves(algorithm);
  });
}

bool KeySet::owns(std::uint64_t fingerprint) const {
  const auto own = std::span(keys_).first(own_);
  return std::ranges::any_of(own,
                             [&](const auto& key) { return key->fingerprint() == fingerprint; });
}

}  // namespace auth
