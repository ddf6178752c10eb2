// Reading a token: what its three segments are, not whether to believe them.
#include "auth/token.h"

#include <array>
#include <optional>

#include <jansson.h>

#include "auth/ascii.h"
#include "auth/base64url.h"
#include "auth/json.h"

namespace auth {
namespace {

constexpr std::array<std::string_view, 18> error_names = {
    "too_long",          "malformed",
    "duplicate_name",    "critical_extension",
    "wrong_type",        "algorithm_not_allowed",
    "unknown_key",       "bad_signature",
    "unknown_issuer",    "wrong_issuer",
    "wrong_audience",    "missing_expiry",
    "expired",           "not_yet_valid",
    "lifetime_too_long", "bad_subject",
    "missing_token_id",  "required_claim",
};
static_assert(error_names.size() == static_cast<std::size_t>(last_token_error) + 1);

struct Segments {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
};

// RFC 7515 section 7.1. A third dot would stand in the signature, which then is no base64url.
std::optional<Segments> split(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t second = token.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  return Segments{token.substr(0, first), token.substr(first + 1, second - first - 1),
                  token.substr(second + 1)};
}

struct Decoded {
  OwnedJson object;
  std::string text;
};

std::expected<Decoded, TokenError> decode_object(std::string_view segment) {
  auto text = base64url_decode(segment);
  if (!text) return std::unexpected(TokenError::Malformed);
  auto object = parse_json_object(*text);
  if (!object) {
    return std::unexpected(object.error() == JsonError::DuplicateName ? TokenError::DuplicateName
                                                                      : TokenError::Malformed);
  }
  return Decoded{*std::move(object), *std::move(text)};
}

// RFC 7515 section 4.1.9: a media type, so in any case, with or without "application/". A token of
// another type is for somebody else (RFC 8725 section 3.11).
bool right_type(const json_t* header) {
  const json_t* typ = json_object_get(header, "typ");
  if (typ == nullptr) return true;
  constexpr std::string_view application = "application/";
  std::string_view type = string_of(typ);
  if (equals_ignoring_case(type.substr(0, application.size()), application)) {
    type.remove_prefix(application.size());
  }
  return equals_ignoring_case(type, "JWT") || equals_ignoring_case(type, "at+jwt");
}

// A member that is a string where it is there at all; nothing: it is another thing.
std::optional<std::string_view> optional_string(const json_t* object, const char* name) {
  const json_t* member = json_object_get(object, name);
  if (member == nullptr) return std::string_view();
  if (!json_is_string(member)) return std::nullopt;
  return string_of(member);
}

// What of a JOSE header a verification asks for.
struct JoseHeader {
  std::string algorithm;
  std::string key_id;
};

std::expected<JoseHeader, TokenError> read_header(std::string_view segment) {
  const auto decoded = decode_object(segment);
  if (!decoded) return std::unexpected(decoded.error());
  const json_t* header = decoded->object.get();
  // RFC 7515 section 4.1.11: no extension is understood here.
  if (json_object_get(header, "crit") != nullptr) {
    return std::unexpected(TokenError::CriticalExtension);
  }
  if (!right_type(header)) return std::unexpected(TokenError::WrongType);
  const json_t* algorithm = json_object_get(header, "alg");
  const auto key_id = optional_string(header, "kid");
  if (!json_is_string(algorithm) || !key_id) return std::unexpected(TokenError::Malformed);
  return JoseHeader{std::string(string_of(algorithm)), std::string(*key_id)};
}

// An issuer writes one header into all its tokens, so each thread remembers what it read from the
// last one, under its complete text. That says nothing about whether to believe a token.
std::expected<JoseHeader, TokenError> header_of(std::string_view segment) {
  constexpr std::size_t remembered_octets_max = 256;
  thread_local std::string text;
  thread_local JoseHeader remembered;
  if (!segment.empty() && segment == text) return remembered;
  auto header = read_header(segment);
  if (header && segment.size() <= remembered_octets_max) {
    text = segment;
    remembered = *header;
  }
  return header;
}

}  // namespace

std::string_view name_of(TokenError error) { return error_names[static_cast<std::size_t>(error)]; }

std::expected<ParsedToken, TokenError> parse_token(std::string_view token) {
  if (token.size() > token_octets_max) return std::unexpected(TokenError::TooLong);
  const auto segments = split(token);
  if (!segments) return std::unexpected(TokenError::Malformed);
  auto signature = base64url_decode(segments->signature);
  if (!signature) return std::unexpected(TokenError::Malformed);
  auto header = header_of(segments->header);
  if (!header) return std::unexpected(header.error());
  auto claims = decode_object(segments->claims);
  if (!claims) return std::unexpected(claims.error());
  const auto issuer = optional_string(claims->object.get(), "iss");
  if (!issuer) return std::unexpected(TokenError::Malformed);
  return ParsedToken{
      .signing_input = token.substr(0, segments->header.size() + 1 + segments->claims.size()),
      .signature = *std::move(signature),
      .algorithm = std::move(header->algorithm),
      .key_id = std::move(header->key_id),
      .issuer = std::string(*issuer),
      .claims =
          Claims(std::shared_ptr<const json_t>(std::move(claims->object)), std::move(claims->text)),
  };
}

}  // namespace auth
