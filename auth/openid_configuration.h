// Where an issuer says that its keys are: OpenID Connect Discovery 1.0 sections 3 and 4.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace auth {

// Of the configuration: a '/' at the issuer's end is not doubled.
std::string openid_configuration_url(std::string_view issuer);

enum class OpenidError : std::uint8_t {
  Malformed,    // not one JSON object, or a name twice
  WrongIssuer,  // `issuer` is not the one that was asked (section 4.3: exactly)
  NoKeys,       // `jwks_uri` is not there, or no string
};

// For logs: lower case with underscores.
std::string_view name_of(OpenidError error);

// The `jwks_uri` of the configuration of `issuer`, as it stands there: what it may be is for the
// caller to say.
std::expected<std::string, OpenidError> parse_openid_configuration(std::string_view json,
                                                                   std::string_view issuer);

}  // namespace auth
