#include "gateway/token_request.h"

#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <jansson.h>

#include "auth/issue.h"
#include "gateway/policy_values.h"
#include "gateway/random_text.h"
#include "gateway/spelling.h"
#include "gateway/utf8_text.h"

namespace gateway {

namespace {

struct ReleaseJson {
  void operator()(json_t* value) const { json_decref(value); }
};
using Json = std::unique_ptr<json_t, ReleaseJson>;

Json json_text(std::string_view text) { return Json(json_stringn(text.data(), text.size())); }

Json json_of(const auth::Scalar& scalar) {
  struct Visitor {
    json_t* operator()(std::nullptr_t) const { return json_null(); }
    json_t* operator()(bool value) const { return json_boolean(value); }
    json_t* operator()(std::int64_t value) const { return json_integer(value); }
    json_t* operator()(double value) const { return json_real(value); }
    json_t* operator()(const std::string& value) const {
      return json_stringn(value.data(), value.size());
    }
  };
  return Json(std::visit(Visitor{}, scalar));
}

// A reference token of a JSON Pointer (RFC 6901 section 4).
std::string unescaped(std::string_view token) {
  std::string name;
  for (std::size_t at = 0; at < token.size(); ++at) {
    bool escape = token[at] == '~' && at + 1 < token.size();
    name += escape ? (token[++at] == '1' ? '/' : '~') : token[at];
  }
  return name;
}

// Sets a claim by its exact name, or where a JSON Pointer points, making objects on the way.
void set_claim(json_t* claims, std::string_view name, Json value) {
  if (!name.starts_with('/')) {
    json_object_setn_new(claims, name.data(), name.size(), value.release());
    return;
  }
  json_t* object = claims;
  std::string_view rest = name.substr(1);
  for (auto slash = rest.find('/'); slash != rest.npos; slash = rest.find('/')) {
    const std::string step = unescaped(rest.substr(0, slash));
    json_t* inner = json_object_get(object, step.c_str());
    if (!json_is_object(inner)) {
      inner = json_object();
      json_object_set_new(object, step.c_str(), inner);
    }
    object = inner;
    rest.remove_prefix(slash + 1);
  }
  json_object_set_new(object, unescaped(rest).c_str(), value.release());
}

std::int64_t numeric_date(auth::WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

void set_audience(json_t* claims, const std::vector<std::string>& audience) {
  if (!audience.empty()) set_claim(claims, "aud", json_text(audience.front()));
}

// False: it is not name=value.
bool set_written_claim(json_t* claims, const std::string& written) {
  auto equals = written.find('=');
  if (equals == written.npos || equals == 0) {
    return false;
  }
  const std::string value = written.substr(equals + 1);
  Json json(
      json_loadb(value.data(), value.size(), JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, nullptr));
  if (!json) {
    json = json_text(value);
  }
  if (!json) {  // not UTF-8
    return false;
  }
  set_claim(claims, std::string_view(written).substr(0, equals), std::move(json));
  return true;
}

std::expected<std::string, std::string> make_claims(const auth::TokenRules& rules,
                                                    const TokenRequest& request,
                                                    auth::WallTime now) {
  Json claims(json_object());
  if (rules.issuer) set_claim(claims.get(), "iss", json_text(*rules.issuer));
  set_audience(claims.get(), rules.audience);
  set_claim(claims.get(), "iat", Json(json_integer(numeric_date(now))));
  set_claim(claims.get(), "exp", Json(json_integer(numeric_date(now + request.lifetime))));
  if (rules.once) {
    const auto id = random_hexadecimal<32>();
    set_claim(claims.get(), "jti", json_text(std::string(id.data(), id.size())));
  }
  for (const auth::RequiredClaim& required : rules.require) {
    set_claim(claims.get(), required.name, json_of(required.value));
  }
  Json subject = json_text(request.subject);
  if (!subject) {
    return std::unexpected("the subject is not UTF-8");
  }
  set_claim(claims.get(), rules.subject_claim, std::move(subject));
  for (const std::string& written : request.claims) {
    if (!set_written_claim(claims.get(), written)) {
      return std::unexpected(
          fmt::format("--claim {}: expected name=value, in UTF-8", printable(written)));
    }
  }
  std::unique_ptr<char, decltype(&std::free)> text(json_dumps(claims.get(), JSON_COMPACT),
                                                   &std::free);
  return std::string(text.get());
}

bool is_shared_secret(auth::Algorithm algorithm) {
  return auth::name_of(algorithm).starts_with("HS");
}

// The first algorithm of the authenticator that the key can serve.
std::expected<std::string, std::string> sign(const Authenticator& authenticator,
                                             const std::optional<std::string>& private_key,
                                             const std::string& claims) {
  if (!private_key && authenticator.signing_secret.empty()) {
    return std::unexpected(fmt::format(
        "'{}' has no secret to sign with: --key names the private key of one of its keys",
        authenticator.name));
  }
  std::string why = fmt::format("'{}' allows no algorithm for this key", authenticator.name);
  for (auth::Algorithm algorithm : authenticator.verifier->rules().algorithms) {
    if (is_shared_secret(algorithm) == private_key.has_value()) {
      continue;
    }
    auto token = auth::issue_token(
        algorithm, private_key ? *private_key : authenticator.signing_secret, claims, "");
    if (token) {
      return std::move(*token);
    }
    why = fmt::format("{}: {}", auth::name_of(algorithm), token.error().what);
  }
  return std::unexpected(why);
}

}  // namespace

std::expected<std::string, std::string> make_token(const Policy& policy,
                                                   const TokenRequest& request,
                                                   auth::WallTime now) {
  auto found = policy.authenticators.find(request.authenticator);
  if (found == policy.authenticators.end() || !found->second->verifier) {
    std::vector<std::string_view> known;
    for (const auto& [name, authenticator] : policy.authenticators) {
      if (authenticator->verifier) known.push_back(name);
    }
    return std::unexpected(fmt::format("no authenticator '{}' takes tokens{}",
                                       printable(request.authenticator),
                                       did_you_mean(request.authenticator, known)));
  }
  const Authenticator& authenticator = *found->second;
  const auth::TokenRules& rules = authenticator.verifier->rules();
  if (request.lifetime > rules.max_lifetime) {
    return std::unexpected(fmt::format("--ttl {} is more than its 'max_lifetime', {}",
                                       show_duration(request.lifetime),
                                       show_duration(rules.max_lifetime)));
  }
  auto claims = make_claims(rules, request, now);
  if (!claims) {
    return std::unexpected(claims.error());
  }
  return sign(authenticator, request.private_key, *claims);
}

}  // namespace gateway
