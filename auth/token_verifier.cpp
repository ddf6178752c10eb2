// Believing a token: its signature, then its claims (RFC 7519 section 7.2, RFC 8725 section 3).
#include <algorithm>

#include <jansson.h>

#include "auth/json.h"
#include "auth/numeric_date.h"
#include "auth/token.h"

namespace auth {
namespace {

using std::chrono::milliseconds;

// A longer one makes no difference, and sums with it cannot overflow.
constexpr milliseconds rule_duration_max = std::chrono::years(1000);

struct Times {
  WallTime expiry;
  std::optional<WallTime> issued;
  std::optional<WallTime> not_before;
};

// Nothing where the claim is there and no number.
std::optional<std::optional<WallTime>> optional_date(const Claims& claims, const char* name) {
  const json_t* claim = claims.find(name);
  if (claim == nullptr) return std::optional<WallTime>();
  const auto date = numeric_date(claim);
  if (!date) return std::nullopt;
  return date;
}

std::expected<Times, TokenError> times_of(const Claims& claims) {
  const auto expiry = numeric_date(claims.find("exp"));
  if (!expiry) return std::unexpected(TokenError::MissingExpiry);
  const auto issued = optional_date(claims, "iat");
  const auto not_before = optional_date(claims, "nbf");
  if (!issued || !not_before) return std::unexpected(TokenError::Malformed);
  return Times{*expiry, *issued, *not_before};
}

std::expected<void, TokenError> check_times(const Times& times, const TokenRules& rules,
                                            WallTime now) {
  // RFC 7519 section 4.1.4: "on or after which the JWT MUST NOT be accepted".
  if (now >= times.expiry + rules.leeway) return std::unexpected(TokenError::Expired);
  const auto ahead = [&](const std::optional<WallTime>& time) {
    return time && *time > now + rules.leeway;
  };
  if (ahead(times.not_before) || ahead(times.issued)) {
    return std::unexpected(TokenError::NotYetValid);
  }
  const bool too_long = times.expiry - now > rules.max_lifetime ||
                        (times.issued && times.expiry - *times.issued > rules.max_lifetime);
  if (too_long) return std::unexpected(TokenError::LifetimeTooLong);
  return {};
}

// RFC 7519 section 4.1.3: one string, or an array of them.
bool audience_fits(const json_t* audience, const std::vector<std::string>& ours) {
  const auto is_ours = [&](const json_t* value) {
    return json_is_string(value) && std::ranges::find(ours, string_of(value)) != ours.end();
  };
  if (!json_is_array(audience)) return is_ours(audience);
  bool found = false;
  for (std::size_t index = 0; index < json_array_size(audience); ++index) {
    const json_t* value = json_array_get(audience, index);
    if (!json_is_string(value)) return false;
    found = found || is_ours(value);
  }
  return found;
}

std::expected<std::string, TokenError> subject_of(const Claims& claims, const TokenRules& rules) {
  const json_t* claim = claims.find(rules.subject_claim);
  std::string subject;
  if (json_is_integer(claim)) {
    subject = std::to_string(json_integer_value(claim));
  } else {
    subject = string_of(claim);
  }
  if (subject.empty()) return std::unexpected(TokenError::BadSubject);
  subject.insert(0, rules.subject_prefix);
  if (!valid_subject(subject) || subject.starts_with(anonymous_subject_prefix)) {
    return std::unexpected(TokenError::BadSubject);
  }
  return subject;
}

std::expected<Principal, TokenError> check_claims(const ParsedToken& token, const TokenRules& rules,
                                                  WallTime now) {
  const auto times = times_of(token.claims);
  if (!times) return std::unexpected(times.error());
  if (auto checked = check_times(*times, rules, now); !checked) {
    return std::unexpected(checked.error());
  }
  if (rules.issuer && token.issuer != *rules.issuer) {
    return std::unexpected(TokenError::WrongIssuer);
  }
  if (!rules.audience.empty() && !audience_fits(token.claims.find("aud"), rules.audience)) {
    return std::unexpected(TokenError::WrongAudience);
  }
  auto subject = subject_of(token.claims, rules);
  if (!subject) return std::unexpected(subject.error());
  // RFC 7519 section 4.1.7: a string. Another thing could not be revoked by its name.
  const json_t* token_id = token.claims.find("jti");
  if (token_id != nullptr && !json_is_string(token_id)) {
    return std::unexpected(TokenError::Malformed);
  }
  if (rules.once && string_of(token_id).empty()) {
    return std::unexpected(TokenError::MissingTokenId);
  }
  const bool all_there = std::ranges::all_of(rules.require, [&](const RequiredClaim& required) {
    return equal(token.claims.find(required.name), required.value);
  });
  if (!all_there) return std::unexpected(TokenError::RequiredClaim);
  return Principal{.subject = *std::move(subject),
                   .authenticator = rules.authenticator,
                   .issuer = token.issuer,
                   .token_id = std::string(string_of(token_id)),
                   .claims = token.claims,
                   .issued_at = times->issued,
                   .good_until = times->expiry + rules.leeway,
                   .single_use = rules.once};
}

}  // namespace

TokenVerifier::TokenVerifier(TokenRules rules, std::shared_ptr<const KeySet> keys)
    : rules_(std::move(rules)), keys_(std::move(keys)) {
  rules_.leeway = std::clamp(rules_.leeway, milliseconds::zero(), rule_duration_max);
  rules_.max_lifetime = std::clamp(rules_.max_lifetime, milliseconds::zero(), rule_duration_max);
}

std::expected<Principal, TokenError> TokenVerifier::verify(const ParsedToken& token,
                                                           const KeySet& keys, WallTime now) const {
  // RFC 8725 section 3.1: the authenticator says which algorithms there are, the key which of them
  // is its own, and the token only which of these it claims to be of.
  const auto algorithm = parse_algorithm(token.algorithm);
  if (!algorithm || std::ranges::find(rules_.algorithms, *algorithm) == rules_.algorithms.end()) {
    return std::unexpected(TokenError::AlgorithmNotAllowed);
  }
  std::uint64_t key = 0;
  switch (keys.verify(*algorithm, token.key_id, token.signing_input, token.signature, now, &key)) {
    case KeySet::Verdict::Verified: {
      auto principal = check_claims(token, rules_, now);
      if (principal) principal->key = key;
      return principal;
    }
    case KeySet::Verdict::UnknownKey:
      return std::unexpected(TokenError::UnknownKey);
    case KeySet::Verdict::BadSignature:
      return std::unexpected(TokenError::BadSignature);
  }
  return std::unexpected(TokenError::BadSignature);
}

}  // namespace auth
