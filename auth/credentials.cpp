#include "auth/credentials.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "auth/ascii.h"
#include "auth/percent.h"

namespace auth {
namespace {

using Kind = CredentialPlace::Kind;

constexpr std::string_view authorization_name = "Authorization";
constexpr std::string_view cookie_name = "Cookie";
constexpr std::string_view subprotocol_name = "Sec-WebSocket-Protocol";

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

// Calls `visit` with what is between the delimiters, as often as there are delimiters and once
// more.
template <class Visit>
void for_each_part(std::string_view list, char delimiter, Visit visit) {
  while (true) {
    const std::size_t end = list.find(delimiter);
    visit(list.substr(0, end));
    if (end == std::string_view::npos) return;
    list.remove_prefix(end + 1);
  }
}

// The field whose value is a list that the place is a part of; a header is no list.
std::string_view field_of(const CredentialPlace& place) {
  switch (place.kind) {
    case Kind::Header:
      return place.name;
    case Kind::Subprotocol:
      return subprotocol_name;
    case Kind::Cookie:
      return cookie_name;
    case Kind::Query:
    case Kind::Ticket:
    case Kind::FirstMessage:
      return {};
  }
  return {};
}

bool in_query(Kind kind) { return kind == Kind::Query || kind == Kind::Ticket; }

char delimiter_of(Kind kind) {
  assert(kind != Kind::Header && kind != Kind::FirstMessage);
  return kind == Kind::Subprotocol ? ',' : kind == Kind::Cookie ? ';' : '&';
}

// Is `raw` a way to write the parameter `name`? Parsers differ on '+', so both readings count.
bool names_parameter(std::string_view raw, std::string_view name) {
  return raw == name || percent_decode(raw, Plus::IsSpace) == name ||
         percent_decode(raw, Plus::IsItself) == name;
}

// What one part of a list holds of the place, as it is written there; nothing: another thing. A
// name without '=' holds an empty value, as in a form (and as some servers read cookies).
std::optional<std::string_view> held_by(std::string_view part, const CredentialPlace& place) {
  if (place.kind == Kind::Subprotocol) {
    part = trimmed(part);
    if (!part.starts_with(place.name)) return std::nullopt;
    return part.substr(place.name.size());
  }
  const std::size_t equals = part.find('=');
  const std::string_view name = part.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
  if (place.kind == Kind::Cookie) {
    // RFC 6265 section 5.2: browsers trim both; a quote belongs to the value.
    if (trimmed(name) != place.name) return std::nullopt;
    return trimmed(value);
  }
  if (!names_parameter(name, place.name)) return std::nullopt;
  return value;
}

// Every value at the place, but no more than two: that is one too many.
class Values {
 public:
  void add(std::string_view value) {
    if (count_ < 2) ++count_;
    value_ = value;
  }
  std::size_t count() const { return count_; }
  std::string_view value() const { return value_; }

 private:
  std::size_t count_ = 0;
  std::string_view value_;
};

void add_parts(std::string_view list, const CredentialPlace& place, Values& values) {
  for_each_part(list, delimiter_of(place.kind), [&](std::string_view part) {
    if (const auto value = held_by(part, place)) values.add(*value);
  });
}

Values values_at(const HandshakeFields& handshake, const CredentialPlace& place) {
  Values values;
  if (place.kind == Kind::FirstMessage) return values;
  if (in_query(place.kind)) {
    add_parts(handshake.query, place, values);
    return values;
  }
  const std::string_view name = field_of(place);
  for (const Field& field : handshake.fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (place.kind == Kind::Header) {
      values.add(trimmed(field.value));
    } else {
      add_parts(field.value, place, values);
    }
  }
  return values;
}

// RFC 6750 section 2.1: the scheme, in any case (RFC 9110 section 11.1), and at least one space.
// Other fields than Authorization may hold the token alone.
std::expected<std::string, CredentialsError> bearer_token(std::string_view value,
                                                          std::string_view field_name) {
  constexpr std::string_view scheme = "Bearer";
  const bool has_scheme = equals_ignoring_case(value.substr(0, scheme.size()), scheme) &&
                          value.substr(scheme.size()).starts_with(' ');
  if (has_scheme) return std::string(trimmed(value.substr(scheme.size())));
  if (equals_ignoring_case(field_name, authorization_name)) {
    return std::unexpected(CredentialsError::Malformed);
  }
  return std::string(value);
}

std::expected<std::string, CredentialsError> decoded(std::string_view value,
                                                     const CredentialPlace& place) {
  if (place.kind == Kind::Header) return bearer_token(value, place.name);
  if (!in_query(place.kind)) return std::string(value);
  auto text = percent_decode(value, Plus::IsSpace);
  if (!text) return std::unexpected(CredentialsError::Malformed);
  return *std::move(text);
}

bool holds_credential(std::string_view part, Kind kind, std::span<const CredentialPlace> places) {
  return std::ranges::any_of(places, [&](const CredentialPlace& place) {
    return (in_query(kind) ? in_query(place.kind) : place.kind == kind) && held_by(part, place);
  });
}

// The list without the parts that hold a credential; nothing if it has none.
std::optional<std::string> stripped_list(std::string_view list, Kind kind,
                                         std::span<const CredentialPlace> places) {
  std::string rest;
  bool found = false;
  bool first = true;
  for_each_part(list, delimiter_of(kind), [&](std::string_view part) {
    if (holds_credential(part, kind, places)) {
      found = true;
      return;
    }
    // White space that came behind a delimiter which is no longer there goes with it; in a query
    // it would be a part of the name.
    if (first && found && !in_query(kind)) {
      part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
    }
    if (!first) rest += delimiter_of(kind);
    rest += part;
    first = false;
  });
  if (!found) return std::nullopt;
  return rest;
}

bool has_part(std::string_view list, char delimiter) {
  bool found = false;
  for_each_part(list, delimiter,
                [&](std::string_view part) { found = found || !trimmed(part).empty(); });
  return found;
}

// What of a field goes on to the backend; nothing: the field goes. A value that is not what came is
// kept in `rewritten`.
std::optional<std::string_view> stripped_value(const Field& field,
                                               std::span<const CredentialPlace> places,
                                               std::list<std::string>& rewritten) {
  const bool is_header_place = std::ranges::any_of(places, [&](const CredentialPlace& place) {
    return place.kind == Kind::Header && equals_ignoring_case(field.name, place.name);
  });
  if (is_header_place) return std::nullopt;
  for (const Kind kind : {Kind::Subprotocol, Kind::Cookie}) {
    if (!equals_ignoring_case(field.name, kind == Kind::Cookie ? cookie_name : subprotocol_name)) {
      continue;
    }
    auto rest = stripped_list(field.value, kind, places);
    if (!rest) continue;
    if (!has_part(*rest, delimiter_of(kind))) return std::nullopt;
    return rewritten.emplace_back(*std::move(rest));
  }
  return field.value;
}

}  // namespace

std::expected<Credential, CredentialsError> find_credential(
    const HandshakeFields& handshake, std::span<const CredentialPlace> places) {
  for (std::size_t index = 0; index < places.size(); ++index) {
    const CredentialPlace& place = places[index];
    const Values values = values_at(handshake, place);
    if (values.count() == 0) continue;
    if (values.count() > 1) return std::unexpected(CredentialsError::Ambiguous);
    if (place.kind == Kind::Subprotocol && !parse_subprotocols(handshake.fields)) {
      return std::unexpected(CredentialsError::Malformed);
    }
    auto value = decoded(values.value(), place);
    if (!value) return std::unexpected(value.error());
    if (value->empty()) return std::unexpected(CredentialsError::Malformed);
    return Credential{place.kind, index, *std::move(value)};
  }
  return std::unexpected(CredentialsError::Missing);
}

StrippedHandshake strip_credentials(const HandshakeFields& handshake,
                                    std::span<const CredentialPlace> places) {
  StrippedHandshake stripped;
  stripped.fields.reserve(handshake.fields.size());
  for (const Field& field : handshake.fields) {
    if (const auto value = stripped_value(field, places, stripped.rewritten)) {
      stripped.fields.push_back({field.name, *value});
    }
  }
  auto query = stripped_list(handshake.query, Kind::Query, places);
  stripped.query = query ? *std::move(query) : std::string(handshake.query);
  return stripped;
}

std::expected<std::vector<std::string_view>, CredentialsError> parse_subprotocols(
    std::span<const Field> fields) {
  std::vector<std::string_view> subprotocols;
  std::size_t parts = 0;
  for (const Field& field : fields) {
    if (!equals_ignoring_case(field.name, subprotocol_name)) continue;
    // RFC 9110 section 5.6.1: empty elements are ignored, but there must be one that is not.
    bool well_formed = has_part(field.value, ',');
    for_each_part(field.value, ',', [&](std::string_view part) {
      const std::string_view subprotocol = trimmed(part);
      if (++parts > subprotocols_max || !(subprotocol.empty() || is_token(subprotocol))) {
        well_formed = false;
      } else if (!subprotocol.empty()) {
        subprotocols.push_back(subprotocol);
      }
    });
    if (!well_formed) return std::unexpected(CredentialsError::Malformed);
  }
  return subprotocols;
}

}  // namespace auth
