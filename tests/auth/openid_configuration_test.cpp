#include "auth/openid_configuration.h"

#include <doctest/doctest.h>

using auth::openid_configuration_url;
using auth::parse_openid_configuration;

namespace {

constexpr std::string_view issuer = "https://id.example.com/realms/a";

// What it says where the keys are, or the name of what is wrong with it.
std::string keys_by(std::string_view json) {
  const auto keys = parse_openid_configuration(json, issuer);
  return keys ? *keys : std::string(name_of(keys.error()));
}

}  // namespace

TEST_SUITE("OpenID Connect Discovery 1.0") {
  TEST_CASE("the configuration is below the issuer's path, and no '/' is doubled") {
    CHECK(openid_configuration_url("https://id.example.com") ==
          "https://id.example.com/.well-known/openid-configuration");
    CHECK(openid_configuration_url("https://id.example.com/") ==
          "https://id.example.com/.well-known/openid-configuration");
    CHECK(openid_configuration_url(issuer) ==
          "https://id.example.com/realms/a/.well-known/openid-configuration");
  }

  TEST_CASE("the keys are where the configuration of the very issuer says") {
    CHECK(keys_by(R"({"issuer":"https://id.example.com/realms/a",
                      "authorization_endpoint":"https://id.example.com/a",
                      "jwks_uri":"https://keys.example.com/a"})") == "https://keys.example.com/a");
  }

  TEST_CASE("the configuration of another issuer is none, however alike") {
    for (const char* other :
         {"https://id.example.com/realms/a/", "https://id.example.com/realms/A",
          "https://ID.example.com/realms/a", "https://id.example.com:443/realms/a",
          "http://id.example.com/realms/a", "https://id.example.com/realms/b", ""}) {
      CAPTURE(other);
      CHECK(keys_by(R"({"issuer":")" + std::string(other) + R"(","jwks_uri":"https://k/"})") ==
            "configuration_of_another_issuer");
    }
    CHECK(keys_by(R"({"jwks_uri":"https://k/"})") == "configuration_of_another_issuer");
    CHECK(keys_by(R"({"issuer":["https://id.example.com/realms/a"],"jwks_uri":"https://k/"})") ==
          "configuration_of_another_issuer");
  }

  TEST_CASE("a configuration that does not say where the keys are is of no use") {
    const std::string begin = R"({"issuer":"https://id.example.com/realms/a")";
    CHECK(keys_by(begin + "}") == "configuration_without_jwks_uri");
    CHECK(keys_by(begin + R"(,"jwks_uri":null})") == "configuration_without_jwks_uri");
    CHECK(keys_by(begin + R"(,"jwks_uri":["https://k/"]})") == "configuration_without_jwks_uri");
  }

  TEST_CASE("what is no JSON object, or has two readings, is refused as a whole") {
    for (const char* text : {"", "[]", "<html>", R"({"issuer":"https://id.example.com/realms/a"})x",
                             R"({"issuer":"https://id.example.com/realms/a","issuer":"x"})"}) {
      CAPTURE(text);
      CHECK(keys_by(text) == "configuration_malformed");
    }
  }
}
