#include "auth/grant.h"

#include <charconv>
#include <cstdint>
#include <memory>
#include <utility>

#include <jansson.h>

#include "auth/json.h"
#include "auth/numeric_date.h"
#include "auth/subject.h"

namespace auth {
namespace {

constexpr const char* route_name = "route";
constexpr const char* path_name = "path";
constexpr const char* authenticator_name = "authenticator";
constexpr const char* subject_name = "subject";
constexpr const char* good_until_name = "good_until_ms";
constexpr const char* key_name = "key";
constexpr const char* claims_name = "claims";

void set(json_t* object, const char* name, std::string_view value) {
  json_object_set_new(object, name, json_stringn(value.data(), value.size()));
}

std::string text_at(const json_t* object, const char* name) {
  return std::string(string_of(json_object_get(object, name)));
}

std::string hexadecimal(std::uint64_t number) {
  std::string text(16, '0');
  for (auto digit = text.rbegin(); number != 0; ++digit, number >>= 4) {
    *digit = "0123456789abcdef"[number & 15];
  }
  return text;
}

// 0 where it is no such number: then the grant is another text than write_grant() makes of it.
std::uint64_t key_of(std::string_view text) {
  std::uint64_t key = 0;
  std::from_chars(text.data(), text.data() + text.size(), key, 16);
  return key;
}

bool is_whole(const Grant& grant) {
  const Principal& principal = grant.principal;
  return !grant.route.empty() && grant.path.starts_with('/') && !principal.authenticator.empty() &&
         valid_subject(principal.subject) &&
         !principal.subject.starts_with(anonymous_subject_prefix);
}

}  // namespace

std::string write_grant(const Grant& grant) {
  const Principal& principal = grant.principal;
  const OwnedJson object(json_object());
  set(object.get(), route_name, grant.route);
  set(object.get(), path_name, grant.path);
  set(object.get(), authenticator_name, principal.authenticator);
  set(object.get(), subject_name, principal.subject);
  if (principal.good_until) {
    json_object_set_new(object.get(), good_until_name,
                        json_integer(principal.good_until->time_since_epoch().count()));
  }
  set(object.get(), key_name, hexadecimal(principal.key));
  set(object.get(), claims_name, principal.claims.to_json());
  return dump_json(object.get());
}

// What is there and is not read is found by writing it again.
std::optional<Grant> read_grant(std::string_view text) {
  if (text.size() > grant_text_octets_max) return std::nullopt;
  const auto object = parse_json_object(text);
  if (!object) return std::nullopt;
  auto claims = read_claims(text_at(object->get(), claims_name));
  const json_t* good_until = json_object_get(object->get(), good_until_name);
  if (!claims.object() || !json_is_integer(good_until)) return std::nullopt;
  Principal principal{
      .subject = text_at(object->get(), subject_name),
      .authenticator = text_at(object->get(), authenticator_name),
      .issuer = std::string(string_of(claims.find("iss"))),
      .token_id = std::string(string_of(claims.find("jti"))),
      .claims = std::move(claims),
      .issued_at = {},
      .good_until = WallTime(std::chrono::milliseconds(json_integer_value(good_until)))};
  principal.key = key_of(string_of(json_object_get(object->get(), key_name)));
  principal.issued_at = numeric_date(principal.claims.find("iat"));
  Grant grant{text_at(object->get(), route_name), text_at(object->get(), path_name),
              std::move(principal)};
  if (!is_whole(grant) || write_grant(grant) != text) return std::nullopt;
  return grant;
}

}  // namespace auth
