#include "auth/session_record.h"

#include <memory>
#include <utility>

#include "auth/json.h"
#include "auth/json_pointer.h"
#include "auth/subject.h"
#include "auth/timestamp.h"

namespace auth {
namespace {

// Of the claims that are taken from a record, as JSON: as much as a token may say. Each connection
// keeps them.
constexpr std::size_t session_claims_octets_max = 8 * 1024;

using std::chrono::milliseconds;

// connect-redis gives times to live in seconds, rounded up.
constexpr milliseconds rounding_max{1'000};

// Sums with what is longer could overflow.
constexpr milliseconds time_to_live_max = std::chrono::years(100);

bool says_nothing(const json_t* expires) {
  return expires == nullptr || json_is_null(expires) || json_is_false(expires);
}

// Is that the time to live of a session that is prolonged at each request?
bool given_by_touch(const json_t* record, milliseconds time_to_live) {
  const json_t* age = find_by_pointer(record, "/cookie/originalMaxAge");
  return json_is_integer(age) && time_to_live <= time_to_live_max &&
         (time_to_live - rounding_max).count() <= json_integer_value(age);
}

std::expected<std::optional<WallTime>, SessionError> end_of(
    const json_t* record, std::optional<milliseconds> time_to_live, WallTime now) {
  const json_t* expires = find_by_pointer(record, "/cookie/expires");
  if (says_nothing(expires)) return std::nullopt;
  auto end = parse_timestamp(string_of(expires));
  if (!end) return std::unexpected(SessionError::Malformed);
  if (time_to_live && given_by_touch(record, *time_to_live)) end = now + *time_to_live;
  if (*end <= now) return std::unexpected(SessionError::Ended);
  return *end;
}

std::expected<std::string, SessionError> subject_of(const json_t* record,
                                                    const SessionRules& rules) {
  const json_t* value = find_by_pointer(record, rules.subject);
  std::string subject(string_of(value));
  if (json_is_integer(value)) subject = std::to_string(json_integer_value(value));
  if (subject.empty()) return std::unexpected(SessionError::WithoutSubject);
  subject.insert(0, rules.subject_prefix);
  if (!valid_subject(subject) || subject.starts_with(anonymous_subject_prefix)) {
    return std::unexpected(SessionError::WithoutSubject);
  }
  return subject;
}

Claims claims_of(const json_t* record, const SessionRules& rules) {
  OwnedJson claims(json_object());
  for (const auto& claim : rules.claims) {
    const json_t* value = find_by_pointer(record, claim.pointer);
    if (value == nullptr) continue;
    json_object_setn_new(claims.get(), claim.name.data(), claim.name.size(), json_deep_copy(value));
  }
  auto text = dump_json(claims.get());
  return {std::shared_ptr<const json_t>(std::move(claims)), std::move(text)};
}

}  // namespace

std::string_view name_of(SessionError error) {
  switch (error) {
    case SessionError::NotSigned:
      return "session_not_signed";
    case SessionError::Missing:
      return "session_missing";
    case SessionError::Malformed:
      return "session_malformed";
    case SessionError::Ended:
      return "session_ended";
    case SessionError::WithoutSubject:
      return "session_without_subject";
  }
  std::unreachable();
}

std::expected<Principal, SessionError> read_session(std::string_view record,
                                                    std::optional<milliseconds> time_to_live,
                                                    const SessionRules& rules, WallTime now) {
  if (record.size() > session_record_octets_max) return std::unexpected(SessionError::Malformed);
  const auto object = parse_json_object(record);
  if (!object) return std::unexpected(SessionError::Malformed);
  const auto end = end_of(object->get(), time_to_live, now);
  if (!end) return std::unexpected(end.error());
  auto subject = subject_of(object->get(), rules);
  if (!subject) return std::unexpected(subject.error());
  Principal principal;
  principal.subject = *std::move(subject);
  principal.authenticator = rules.authenticator;
  principal.claims = claims_of(object->get(), rules);
  if (principal.claims.to_json().size() > session_claims_octets_max) {
    return std::unexpected(SessionError::Malformed);
  }
  principal.good_until = *end;
  return principal;
}

}  // namespace auth
