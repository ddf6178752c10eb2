#include "auth/openid_configuration.h"

#include "auth/json.h"

namespace auth {

std::string openid_configuration_url(std::string_view issuer) {
  if (issuer.ends_with('/')) issuer.remove_suffix(1);
  return std::string(issuer) + "/.well-known/openid-configuration";
}

std::string_view name_of(OpenidError error) {
  switch (error) {
    case OpenidError::Malformed:
      return "configuration_malformed";
    case OpenidError::WrongIssuer:
      return "configuration_of_another_issuer";
    case OpenidError::NoKeys:
      return "configuration_without_jwks_uri";
  }
  return "configuration_malformed";
}

std::expected<std::string, OpenidError> parse_openid_configuration(std::string_view json,
                                                                   std::string_view issuer) {
  const auto configuration = parse_json_object(json);
  if (!configuration) return std::unexpected(OpenidError::Malformed);
  const json_t* its_issuer = json_object_get(configuration->get(), "issuer");
  if (!json_is_string(its_issuer) || string_of(its_issuer) != issuer) {
    return std::unexpected(OpenidError::WrongIssuer);
  }
  const json_t* keys = json_object_get(configuration->get(), "jwks_uri");
  if (!json_is_string(keys)) return std::unexpected(OpenidError::NoKeys);
  return std::string(string_of(keys));
}

}  // namespace auth
