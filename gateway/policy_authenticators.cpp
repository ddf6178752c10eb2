#include "gateway/policy_authenticators.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "auth/ascii.h"
#include "auth/openid_configuration.h"
#include "auth/timestamp.h"
#include "gateway/policy_conditions.h"
#include "gateway/policy_sessions.h"
#include "gateway/policy_values.h"
#include "gateway/utf8_text.h"
#include "proxy/http.h"

namespace gateway {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t issuer_octets_max = 1024;
constexpr std::size_t audience_max = 64;
constexpr std::size_t algorithms_max = 13;  // RFC 7518 section 3.1 and RFC 8037: there are no more
constexpr std::size_t key_sources_max = 64;
constexpr std::size_t key_file_octets_max = 1024 * 1024;
constexpr std::size_t required_claims_max = 32;
constexpr std::size_t subject_prefix_octets_max = 128;
constexpr std::size_t places_max = 16;
constexpr std::size_t place_name_octets_max = 128;
constexpr std::size_t path_octets_max = 4096;
constexpr Milliseconds first_message_min = 100ms;
constexpr Milliseconds first_message_max = 10min;
constexpr Milliseconds ticket_lifetime_min = 1s;
constexpr Milliseconds ticket_lifetime_max = 30s;  // SECURITY 10
constexpr std::string_view ticket_parameter = "ticket";
constexpr Milliseconds leeway_max = 10min;
constexpr Milliseconds lifetime_max = 24h * 366;
constexpr Milliseconds stale_limit = 24h * 30;

// --- keys ---

struct KeyDraft {
  std::optional<std::string> secret;
  std::optional<std::string> secret_from_file;
  std::optional<std::string> pem_file;
  std::optional<std::string> jwks_file;
  std::optional<proxy::FetchUrl> jwks_url;
  std::optional<auth::WallTime> not_after;
};

const std::vector<Key<KeyDraft>>& key_source_keys() {
  static const std::vector<Key<KeyDraft>> keys = {
      key("jwks_url", parsed<proxy::FetchUrl>("the URL of a JWK Set", proxy::parse_fetch_url),
          &KeyDraft::jwks_url)
          .says(
              "`https://`, or `http://` on loopback; fetched and kept fresh, see \"Keys by URL\""),
      key("secret", secret(), &KeyDraft::secret).says("of HS256 and the like, at least 32 octets"),
      key("secret_file", secret_file(), &KeyDraft::secret_from_file).says("the same, in a file"),
      key("pem_file", text(1, path_octets_max), &KeyDraft::pem_file)
          .says("the path of a public key or a certificate"),
      key("jwks_file", text(1, path_octets_max), &KeyDraft::jwks_file)
          .says("the path of a JWK Set"),
      key("not_after",
          parsed<auth::WallTime>(
              "a time such as 2027-01-01T00:00:00Z",
              [](std::string_view text) -> std::expected<auth::WallTime, std::string> {
                if (auto time = auth::parse_timestamp(text)) return *time;
                return std::unexpected("expected a time such as 2027-01-01T00:00:00Z");
              }),
          &KeyDraft::not_after)
          .if_left_out("for ever")
          .says("when it stops being good"),
  };
  return keys;
}

struct Jwt {
  auth::TokenRules rules;
  auth::KeySet keys;
  std::vector<KeySource> key_sources;
  bool keys_complete = false;   // every source gave its keys
  bool kinds_complete = false;  // of every source it is known what it would give
  bool has_secret = false;
  bool has_public_key = false;
  std::optional<bool> discover;  // none: its value was wrong
  std::vector<KeyLocation> locations;
  Milliseconds stale_max{};
  std::string signing_secret;
};

// Adds what the source holds; the key's own fault stands where the source is named.
void add_key(PolicyReader& reader, const YamlNode& node, const KeyDraft& source, Jwt& jwt) {
  const auto& algorithms = jwt.rules.algorithms;
  const auto keys_before = jwt.keys.size();
  std::expected<void, auth::KeyError> added;
  std::string_view named;
  if (const auto& secret = source.secret ? source.secret : source.secret_from_file) {
    named = source.secret ? "secret" : "secret_file";
    added = jwt.keys.add_secret(*secret, algorithms, source.not_after);
    if (jwt.signing_secret.empty()) jwt.signing_secret = *secret;
  } else if (source.pem_file || source.jwks_file) {
    named = source.pem_file ? "pem_file" : "jwks_file";
    auto text = reader.contents(mark_at(node, named),
                                source.pem_file ? *source.pem_file : *source.jwks_file,
                                key_file_octets_max);
    if (!text) {
      jwt.keys_complete = false;
      return;
    }
    added = source.pem_file ? jwt.keys.add_pem(*text, algorithms, source.not_after)
                            : jwt.keys.add_jwk_set(*text, algorithms, source.not_after);
  } else {
    jwt.keys_complete = false;  // fetched once the policy is in force; or its own value was wrong
    if (source.jwks_url) jwt.locations.push_back({*source.jwks_url, false, source.not_after});
  }
  if (!added) {
    reader.fault(mark_at(node, named), fmt::format("{}: {}", named, added.error().what));
    jwt.keys_complete = false;
  }
  if (!named.empty()) {
    auto file = named == "secret" ? std::string() : node.find(named)->value.text;
    jwt.key_sources.push_back({std::string(named), std::move(file), jwt.keys.size() - keys_before});
  }
}

void read_key_source(PolicyReader& reader, const YamlNode& node, Jwt& jwt) {
  KeyDraft source;
  if (!read_keys(reader, node, key_source_keys(), source)) {
    jwt.keys_complete = jwt.kinds_complete = false;
    return;
  }
  static constexpr std::array<std::string_view, 5> kinds = {"jwks_url", "secret", "secret_file",
                                                            "pem_file", "jwks_file"};
  auto count = std::count_if(kinds.begin(), kinds.end(),
                             [&node](std::string_view kind) { return node.find(kind) != nullptr; });
  if (count != 1) {
    reader.fault(node.mark,
                 "expected exactly one of 'jwks_url', 'secret', 'secret_file', 'pem_file' and "
                 "'jwks_file'");
    jwt.keys_complete = jwt.kinds_complete = false;
    return;
  }
  const bool is_secret = node.find("secret") || node.find("secret_file");
  jwt.has_secret |= is_secret || node.find("jwks_file");  // a JWK Set may have keys of both kinds
  jwt.has_public_key |= !is_secret;
  if (jwt.rules.algorithms.empty()) {
    jwt.keys_complete = false;  // nothing can be said about a key before that is put right
  } else {
    add_key(reader, node, source, jwt);
  }
}

void read_key_sources(PolicyReader& reader, const YamlEntry& entry, Jwt& jwt) {
  if (entry.value.kind != YamlNode::Kind::Sequence || entry.value.items.empty() ||
      entry.value.items.size() > key_sources_max) {
    reader.unexpected(entry.value, fmt::format("a list of 1 to {} keys", key_sources_max));
    return;
  }
  jwt.keys_complete = jwt.kinds_complete = true;
  for (const YamlNode& item : entry.value.items) read_key_source(reader, item, jwt);
}

// --- jwt ---

template <typename T>
Type<T> or_any(Type<T> type, T any) {
  auto read = [read = std::move(type.read), any](PolicyReader& reader,
                                                 const YamlNode& node) -> std::optional<T> {
    bool is_any = node.kind == YamlNode::Kind::Scalar && node.text == "any";
    return is_any ? any : read(reader, node);
  };
  return {type.name + ", or 'any'", std::move(read)};
}

Type<std::optional<std::string>> issuer_type() {
  auto read = [](PolicyReader& reader,
                 const YamlNode& node) -> std::optional<std::optional<std::string>> {
    auto issuer = text(1, issuer_octets_max).read(reader, node);
    if (!issuer) return std::nullopt;
    return std::optional<std::string>(std::move(*issuer));
  };
  return or_any<std::optional<std::string>>({"text", read}, std::optional<std::string>());
}

Type<std::vector<std::string>> audience_type() {
  auto read = [](PolicyReader& reader,
                 const YamlNode& node) -> std::optional<std::vector<std::string>> {
    auto audience = list_of(text(1, issuer_octets_max), 1, audience_max).read(reader, node);
    if (audience && std::find(audience->begin(), audience->end(), "any") != audience->end()) {
      reader.wrong(node.mark, "'any' is not one of a list: write 'audience: any'");
      return std::nullopt;
    }
    return audience;
  };
  return or_any<std::vector<std::string>>({"a list of texts", read}, {});
}

Type<auth::Algorithm> algorithm_type() {
  return parsed<auth::Algorithm>(
      "an algorithm", [](std::string_view text) -> std::expected<auth::Algorithm, std::string> {
        if (auto algorithm = auth::parse_algorithm(text)) return *algorithm;
        return std::unexpected(
            "expected HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, "
            "ES512 or EdDSA");
      });
}

void read_algorithms(PolicyReader& reader, const YamlEntry& entry, Jwt& jwt) {
  auto algorithms = list_of(algorithm_type(), 1, algorithms_max).read(reader, entry.value);
  if (!algorithms || algorithms->size() != entry.value.items.size()) {
    return;
  }
  for (std::size_t i = 0; i < algorithms->size(); ++i) {
    auto here = algorithms->begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(algorithms->begin(), here, *here) != here) {
      reader.wrong(entry.value.items[i].mark,
                   fmt::format("'{}' stands here twice", auth::name_of(*here)));
    }
  }
  jwt.rules.algorithms = std::move(*algorithms);
}

void read_required_claims(PolicyReader& reader, const YamlEntry& entry, Jwt& jwt) {
  if (entry.value.kind != YamlNode::Kind::Map || entry.value.entries.size() > required_claims_max) {
    reader.unexpected(entry.value,
                      fmt::format("a mapping of at most {} claims", required_claims_max));
    return;
  }
  for (const YamlEntry& claim : entry.value.entries) {
    YamlNode name;
    name.kind = YamlNode::Kind::Scalar;
    name.mark = claim.key_mark;
    name.text = claim.key;
    name.quoted = true;
    auto required = claim_name().read(reader, name);
    auto value = scalar().read(reader, claim.value);
    if (required && value) jwt.rules.require.push_back({std::move(*required), std::move(*value)});
  }
}

template <typename T>
Key<Jwt> rule(std::string name, Type<T> type, T auth::TokenRules::*member,
              std::string otherwise = "") {
  auto read = [read = type.read, member](PolicyReader& reader, const YamlEntry& entry, Jwt& jwt) {
    if (auto value = read(reader, entry.value)) jwt.rules.*member = std::move(*value);
  };
  return key<Jwt>(std::move(name), type, std::move(otherwise), read);
}

const std::vector<Key<Jwt>>& jwt_keys() {
  static const std::vector<Key<Jwt>> keys = {
      mandatory(rule("issuer", issuer_type(), &auth::TokenRules::issuer)
                    .says("what `iss` must be, to the letter")),
      mandatory(rule("audience", audience_type(), &auth::TokenRules::audience)
                    .says("of these one must be in `aud`")),
      mandatory(key<Jwt>("algorithms", "a list of algorithms", "", read_algorithms)
                    .says("HS, RS, PS and ES each with 256, 384 or 512, and EdDSA; each must fit a "
                          "key")),
      key<Jwt>("keys", "a list", "", read_key_sources)
          .if_left_out("mandatory without `discover`")
          .says("each item one of the five sources")
          .of(shapes_of(key_source_keys()), KeyShape::Holds::List),
      key("discover", flag(), &Jwt::discover, "false")
          .says("`true`: keys are where the issuer's OpenID configuration says"),
      key("stale_max", duration(0s, stale_limit), &Jwt::stale_max, "24h")
          .says("how long fetched keys are used after they should have been fetched again"),
      rule("subject_claim", claim_name(), &auth::TokenRules::subject_claim, "sub")
          .says("whose value is the subject; a whole number counts as its digits"),
      rule("leeway", duration(0s, leeway_max), &auth::TokenRules::leeway, "30s")
          .says("clocks apart: a token is good until `exp` and this"),
      rule("max_lifetime", duration(1s, lifetime_max), &auth::TokenRules::max_lifetime, "24h")
          .says("a token whose `exp` is farther away is refused"),
      rule("once", flag(), &auth::TokenRules::once, "false")
          .says("`true`: a `jti` opens one connection only, see \"A token that opens one "
                "connection\""),
      key<Jwt>("require", "a mapping of claims to their values", "{}", read_required_claims)
          .says("what a token must say besides, such as `email_verified: true`; at most 32"),
  };
  return keys;
}

// OpenID Connect Discovery 1.0 section 4: the issuer's name is where its configuration is.
void check_discover(PolicyReader& reader, const YamlNode& node, Jwt& jwt) {
  if (!node.find("keys") && jwt.discover == false) reader.fault(node.mark, "'keys' is missing");
  if (jwt.discover != true || !node.find("issuer")) return;
  const Mark issuer_mark = mark_at(node, "issuer");
  if (node.find("issuer")->value.text == "any") {
    reader.fault(mark_at(node, "discover"),
                 "discover: 'issuer: any' says nothing about where keys are");
  } else if (jwt.rules.issuer) {
    auto url = proxy::parse_fetch_url(auth::openid_configuration_url(*jwt.rules.issuer));
    if (!url) {
      reader.fault(issuer_mark, fmt::format("issuer, with 'discover': {}", url.error()));
    } else if (jwt.rules.issuer->contains('?')) {
      reader.fault(issuer_mark, "issuer, with 'discover': a URL without a query");
    } else {
      jwt.locations.push_back({*std::move(url), true, {}});
    }
  }
  jwt.has_public_key = true;
  jwt.keys_complete = false;
  if (!node.find("keys")) jwt.kinds_complete = true;
}

bool is_for_secrets(auth::Algorithm algorithm) {
  return auth::name_of(algorithm).starts_with("HS");  // RFC 7518 section 3.2
}

// `algorithms` that fit no key (RFC 8725 section 3.1): a token with one would never be good, so one
// of the two lists is wrong. Of a key that was refused only its kind is known.
void check_algorithms(PolicyReader& reader, const YamlNode& node, const Jwt& jwt) {
  if (!jwt.kinds_complete || jwt.rules.algorithms.empty()) {
    return;
  }
  const YamlNode& list = node.find("algorithms")->value;
  if (jwt.has_secret && !jwt.locations.empty() &&
      std::ranges::all_of(jwt.rules.algorithms, is_for_secrets)) {
    reader.fault(list.mark, "keys by URL fit none of these: a secret never comes from one");
  }
  for (std::size_t i = 0; i < jwt.rules.algorithms.size(); ++i) {
    const auth::Algorithm algorithm = jwt.rules.algorithms[i];
    bool possible = is_for_secrets(algorithm) ? jwt.has_secret : jwt.has_public_key;
    if (!possible || (jwt.keys_complete && !jwt.keys.serves(algorithm))) {
      reader.fault(list.items[i].mark,
                   fmt::format("'{}' fits none of the keys", auth::name_of(algorithm)));
    }
  }
}

// --- credentials ---

// Fields with a meaning of their own: stripping them, as every place is stripped, would break the
// handshake or what the gateway tells the backend.
bool needed_by_handshake(const std::string& field) {
  static constexpr std::string_view needed[] = {
      "host",     "connection", "upgrade", "origin",  "cookie", "content-length",
      "expect",   "keep-alive", "te",      "trailer", "via",    "transfer-encoding",
      "forwarded"};
  return std::find(std::begin(needed), std::end(needed), field) != std::end(needed) ||
         field.starts_with("sec-websocket-") || field.starts_with("x-gatehouse-") ||
         field.starts_with("x-forwarded-");
}

using Place = auth::CredentialPlace;
using ParsedName = std::expected<std::string, std::string>;

ParsedName parse_field(std::string_view text) {
  std::string name = auth::lower_case(text);
  if (!proxy::is_token(text)) return std::unexpected("no field name (RFC 9110 section 5.1)");
  if (needed_by_handshake(name)) {
    return std::unexpected("this field has a meaning of its own in a handshake");
  }
  return name;
}

ParsedName parse_subprotocol_prefix(std::string_view text) {
  if (!proxy::is_token(text))
    return std::unexpected("no beginning of a subprotocol (RFC 6455 section 4.1)");
  return std::string(text);
}

ParsedName parse_parameter(std::string_view text) {
  bool fits =
      !text.empty() && text.find_first_of("&=#+% ") == text.npos && !has_control_characters(text);
  if (!fits) return std::unexpected("no parameter name: it stands before '=' in the query");
  return std::string(text);
}

struct Places {
  std::vector<Place> places;
  std::optional<Milliseconds> first_message;
  std::optional<Milliseconds> ticket;
};

Key<Places> place(std::string name, Place::Kind kind, Type<std::string> type) {
  auto read = [kind, read = type.read](PolicyReader& reader, const YamlEntry& entry, Places& into) {
    auto name = read(reader, entry.value);
    if (name && name->size() > place_name_octets_max) {
      reader.wrong(entry.value.mark, fmt::format("over {} octets", place_name_octets_max));
    } else if (name) {
      into.places.push_back({kind, std::move(*name)});
    }
  };
  return key<Places>(std::move(name), type, "", read);
}

void read_first_message(PolicyReader& reader, const YamlEntry& entry, Places& into) {
  into.first_message = duration(first_message_min, first_message_max).read(reader, entry.value);
  if (into.first_message) into.places.push_back({Place::Kind::FirstMessage, {}});
}

void read_ticket(PolicyReader& reader, const YamlEntry& entry, Places& into) {
  into.ticket = duration(ticket_lifetime_min, ticket_lifetime_max).read(reader, entry.value);
  if (into.ticket) into.places.push_back({Place::Kind::Ticket, std::string(ticket_parameter)});
}

const std::vector<Key<Places>>& place_keys() {
  static const std::vector<Key<Places>> keys = {
      place("header", Place::Kind::Header,
            parsed<std::string>("the name of a field with 'Bearer <token>'", parse_field))
          .says("such as `Authorization`"),
      place("subprotocol", Place::Kind::Subprotocol,
            parsed<std::string>("what stands before the token in a subprotocol",
                                parse_subprotocol_prefix))
          .says("such as `bearer.`: for browsers, which can set no field"),
      place("cookie", Place::Kind::Cookie, cookie_name())
          .says("it makes `origins` mandatory on its routes"),
      place("query", Place::Kind::Query,
            parsed<std::string>("the name of a query parameter", parse_parameter))
          .says("ends up in logs of what stands in front"),
      key<Places>("first_message", duration(first_message_min, first_message_max), "",
                  read_first_message)
          .says("how long it is waited for, see \"A token in the first message\""),
      key<Places>("ticket", duration(ticket_lifetime_min, ticket_lifetime_max), "", read_ticket)
          .says("how long one is good, see \"A ticket instead of a token\"; beside another place"),
  };
  return keys;
}

// Whoever asks for a ticket has to say in that request who he is.
void check_ticket(PolicyReader& reader, const YamlNode& node, const Places& all) {
  if (!all.ticket) return;
  const bool reachable = std::ranges::any_of(all.places, [](const Place& place) {
    return place.kind != Place::Kind::Ticket && place.kind != Place::Kind::FirstMessage;
  });
  if (!reachable) {
    reader.fault(node.mark,
                 "ticket: needs another place, where the request for a ticket has a token");
  }
}

Places read_places(PolicyReader& reader, const YamlNode& node) {
  Places all;
  auto& places = all.places;
  if (node.kind != YamlNode::Kind::Sequence || node.items.empty() ||
      node.items.size() > places_max) {
    reader.unexpected(node, fmt::format("a list of 1 to {} places", places_max));
    return all;
  }
  for (const YamlNode& item : node.items) {
    Places draft;
    if (!read_keys(reader, item, place_keys(), draft)) {
      continue;
    }
    if (item.entries.size() != 1) {
      reader.fault(item.mark, "expected exactly one place: write each as its own item of the list");
      continue;
    }
    if (draft.first_message) all.first_message = draft.first_message;
    if (draft.ticket) all.ticket = draft.ticket;
    for (Place& found : draft.places) {
      if (std::find(places.begin(), places.end(), found) != places.end()) {
        reader.fault(item.mark, "this place stands here twice");
      }
      places.push_back(std::move(found));
    }
  }
  check_ticket(reader, node, all);
  return all;
}

// --- the whole ---

struct Draft {
  std::string name;
  std::string subject_prefix;
  std::optional<Jwt> jwt;
  std::optional<SessionDraft> session;
  bool anonymous = false;
  std::optional<Places> credentials;
};

void read_jwt(PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
  Jwt jwt;
  if (read_keys(reader, entry.value, jwt_keys(), jwt)) {
    check_discover(reader, entry.value, jwt);
    check_algorithms(reader, entry.value, jwt);
  }
  draft.jwt = std::move(jwt);
}

void read_anonymous(PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
  if (entry.value.kind != YamlNode::Kind::Map || !entry.value.entries.empty()) {
    reader.wrong(entry.value.mark, "expected '{}': it has no settings");
  }
  draft.anonymous = true;
}

std::vector<Key<Draft>> authenticator_keys(const std::optional<RedisSettings>& redis) {
  return {
      key("subject_prefix", text(0, subject_prefix_octets_max), &Draft::subject_prefix)
          .if_left_out("empty")
          .says("put before the subject everywhere"),
      key<Draft>("jwt", "a mapping", "", read_jwt)
          .says("who is known by a token (RFC 7519)")
          .of(shapes_of(jwt_keys())),
      key<Draft>("anonymous", "'{}'", "", read_anonymous)
          .says("a client without any credential is `anonymous:` and 128 random bits; one whose "
                "credential is bad never is"),
      key<Draft>("session", "a mapping", "",
                 [&redis](PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
                   draft.session = read_session(reader, entry.value, redis);
                 })
          .says("who is known by the application's own login session, see \"Express sessions\"")
          .of(session_shapes()),
      key<Draft>("credentials", "a list", "",
                 [](PolicyReader& reader, const YamlEntry& entry, Draft& draft) {
                   draft.credentials = read_places(reader, entry.value);
                 })
          .if_left_out("`header: Authorization`")
          .says("where a `jwt` may be, looked at in order; each item one place")
          .of(shapes_of(place_keys()), KeyShape::Holds::List),
  };
}

void refuse_key(PolicyReader& reader, const YamlNode& node, std::string_view key,
                std::string_view beside) {
  if (const YamlEntry* wrong = node.find(key)) {
    reader.fault(wrong->key_mark, fmt::format("'{}' has no meaning with '{}'", key, beside));
  }
}

void check_authenticator(PolicyReader& reader, const YamlEntry& entry, const Draft& draft) {
  int kinds = 0;
  for (std::string_view kind : {"jwt", "anonymous", "session"}) {
    kinds += entry.value.find(kind) ? 1 : 0;
  }
  if (kinds != 1) {
    reader.fault(entry.key_mark,
                 fmt::format("'{}' needs exactly one of 'jwt', 'session' and 'anonymous'",
                             printable(entry.key)));
  } else {
    if (draft.anonymous) refuse_key(reader, entry.value, "subject_prefix", "anonymous");
    if (draft.anonymous) refuse_key(reader, entry.value, "credentials", "anonymous");
    if (draft.session) refuse_key(reader, entry.value, "credentials", "session");
  }
  // Who reads a subject must be able to trust what is before the colon.
  if (draft.subject_prefix.starts_with("anonymous:")) {
    reader.fault(mark_at(entry.value, "subject_prefix"),
                 "subjects beginning with 'anonymous:' come from 'anonymous' only");
  }
}

std::shared_ptr<const Authenticator> made(int line, Draft draft) {
  auto authenticator = std::make_shared<Authenticator>();
  authenticator->name = draft.name;
  authenticator->subject_prefix = draft.subject_prefix;
  authenticator->line = line;
  if (draft.session) {
    auto& settings = draft.session->settings;
    settings.rules.authenticator = draft.name;
    settings.rules.subject_prefix = draft.subject_prefix;
    authenticator->session = std::make_shared<const SessionSettings>(std::move(settings));
    authenticator->places = {{Place::Kind::Cookie, std::move(draft.session->cookie)}};
  }
  if (draft.jwt) {
    Jwt& jwt = *draft.jwt;
    jwt.rules.authenticator = std::move(draft.name);
    jwt.rules.subject_prefix = std::move(draft.subject_prefix);
    authenticator->verifier = std::make_shared<const auth::TokenVerifier>(
        std::move(jwt.rules), std::make_shared<const auth::KeySet>(std::move(jwt.keys)));
    authenticator->key_sources = std::move(jwt.key_sources);
    authenticator->key_locations = std::move(jwt.locations);
    authenticator->stale_max = jwt.stale_max;
    authenticator->signing_secret = std::move(jwt.signing_secret);
    // What RFC 6750 section 2.1 has every client do.
    Places places{{{Place::Kind::Header, "authorization"}}, {}, {}};
    if (draft.credentials) places = std::move(*draft.credentials);
    authenticator->places = std::move(places.places);
    authenticator->first_message = places.first_message;
    authenticator->ticket_lifetime = places.ticket;
  }
  return authenticator;
}

}  // namespace

std::vector<KeyShape> authenticator_shapes() { return shapes_of(authenticator_keys(std::nullopt)); }

Authenticators read_authenticators(PolicyReader& reader, const YamlNode& node,
                                   const std::optional<RedisSettings>& redis) {
  Authenticators authenticators;
  const auto keys = authenticator_keys(redis);
  read_named(reader, node, [&](const YamlEntry& entry, std::size_t faults_before) {
    Draft draft;
    draft.name = entry.key;
    std::shared_ptr<const Authenticator>& authenticator = authenticators[entry.key];
    if (read_keys(reader, entry.value, keys, draft)) {
      check_authenticator(reader, entry, draft);
    }
    if (reader.fault_count() == faults_before) {
      authenticator = made(entry.key_mark.line, std::move(draft));
    }
  });
  return authenticators;
}

}  // namespace gateway
