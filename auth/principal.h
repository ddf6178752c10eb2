// Who a connection acts for: all that the rest of the program ever sees of a credential.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct json_t;

namespace auth {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// The claims set of a token (RFC 7519 section 4): one immutable JSON object, shared by all copies.
// Default-constructed: an empty object.
class Claims {
 public:
  Claims() = default;
  // `text`: the JSON that the object was read from.
  Claims(std::shared_ptr<const json_t> object, std::string text)
      : object_(std::move(object)), text_(std::move(text)) {}

  // The claim of exactly this name, or, where `name` begins with '/', what this JSON Pointer
  // (RFC 6901) points at. Null if there is none; valid as long as any copy of the claims.
  const json_t* find(std::string_view name) const;

  // JSON of all claims, as it was read: what was verified is what is said on.
  std::string_view to_json() const { return object_ ? std::string_view(text_) : "{}"; }

  // Compact JSON of those that `names` (as for find()) find, each under the name given.
  std::string to_json(std::span<const std::string> names) const;

  const json_t* object() const { return object_.get(); }

  // The same for who only looks claims up: to_json() says nothing.
  Claims without_text() const { return {object_, {}}; }

 private:
  std::shared_ptr<const json_t> object_;
  std::string text_;
};

// What to_json() said, read again; no claims where it is no JSON object.
Claims read_claims(std::string_view text);

struct Principal {
  std::string subject;  // 1 to 256 octets of UTF-8 without control characters, prefix included
  std::string authenticator;  // its name in the policy
  std::string issuer;         // iss; empty where there was no token
  std::string token_id;       // jti; empty where there was none
  Claims claims;
  std::optional<WallTime> issued_at;   // iat; none: the credential does not say
  std::optional<WallTime> good_until;  // exp + leeway; none: for ever
  // Fingerprint of the authenticator's own key that verified it (KeySet::verify()); 0: it was a
  // key that was fetched, or there was none.
  std::uint64_t key = 0;
  bool single_use =
      false;  // its token_id may be used once, and nobody has asked yet whether it was
};

}  // namespace auth
