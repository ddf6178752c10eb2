#include "gateway/token_fault.h"

#include <cstdlib>
#include <memory>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <jansson.h>

#include "auth/numeric_date.h"
#include "gateway/policy_values.h"
#include "gateway/utf8_text.h"

namespace gateway {

namespace {

std::string show_json(const json_t* value) {
  if (!value) {
    return "not there";
  }
  std::unique_ptr<char, decltype(&std::free)> text(
      json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT), &std::free);
  return text ? printable(text.get()) : "";
}

std::string show_claim(const auth::Claims& claims, const std::string& name) {
  const json_t* value = claims.find(name);
  auto date =
      name == "exp" || name == "nbf" || name == "iat" ? auth::numeric_date(value) : std::nullopt;
  return fmt::format("'{}' is {}", printable(name), date ? show_time(*date) : show_json(value));
}

std::string show_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

std::string show_algorithms(const std::vector<auth::Algorithm>& algorithms) {
  std::string text;
  for (auth::Algorithm each : algorithms) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", auth::name_of(each));
  }
  return text;
}

std::string show_required(const auth::TokenRules& rules, const auth::Claims& claims) {
  for (const auth::RequiredClaim& required : rules.require) {
    const json_t* value = claims.find(required.name);
    if (!value || !auth::equal(value, required.value)) {
      return show_claim(claims, required.name);
    }
  }
  return "";
}

std::string detail_of(auth::TokenError error, const auth::ParsedToken& token,
                      const auth::TokenRules* rules, auth::WallTime now) {
  using enum auth::TokenError;
  switch (error) {
    case AlgorithmNotAllowed:
      return fmt::format("'alg' is {}{}", printable(token.algorithm),
                         rules ? ", expected " + show_algorithms(rules->algorithms) : "");
    case UnknownKey:
      return token.key_id.empty() ? fmt::format("no key for {}", printable(token.algorithm))
                                  : fmt::format("'kid' is {}", printable(token.key_id));
    case UnknownIssuer:
    case WrongIssuer:
      return show_claim(token.claims, "iss");
    case WrongAudience:
      return fmt::format("{}{}", show_claim(token.claims, "aud"),
                         rules ? ", expected one of " + show_list(rules->audience) : "");
    case MissingExpiry:
    case Expired:
      return fmt::format("{}, now is {}", show_claim(token.claims, "exp"), show_time(now));
    case NotYetValid:
      return fmt::format("{}, {}, now is {}", show_claim(token.claims, "nbf"),
                         show_claim(token.claims, "iat"), show_time(now));
    case LifetimeTooLong:
      return fmt::format("{}, {}{}", show_claim(token.claims, "iat"),
                         show_claim(token.claims, "exp"),
                         rules ? ", 'max_lifetime' is " + show_duration(rules->max_lifetime) : "");
    case BadSubject:
      return rules ? show_claim(token.claims, rules->subject_claim) : "";
    case RequiredClaim:
      return rules ? show_required(*rules, token.claims) : "";
    default:
      return "";
  }
}

}  // namespace

std::string describe_token_fault(auth::TokenError error, std::string_view token,
                                 const Authenticator* authenticator, auth::WallTime now) {
  auto parsed = auth::parse_token(token);
  std::string detail =
      parsed ? detail_of(error, *parsed,
                         authenticator ? &authenticator->verifier->rules() : nullptr, now)
             : "";
  return fmt::format("{}{}{}", auth::name_of(error), detail.empty() ? "" : ": ", detail);
}

std::string describe_claim(const auth::Principal& principal, const std::string& name) {
  if (name == "sub") {
    return fmt::format("the subject is '{}'", printable(principal.subject));
  }
  return show_claim(principal.claims, name);
}

std::string show_time(auth::WallTime time) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)));
}

}  // namespace gateway
