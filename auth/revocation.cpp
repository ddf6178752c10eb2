#include "auth/revocation.h"

#include <algorithm>

#include <jansson.h>

#include "auth/json.h"
#include "auth/subject.h"
#include "auth/utf8.h"

namespace auth {
namespace {

using std::chrono::milliseconds;

constexpr const char* type_name = "type";
constexpr const char* type_value = "revoke";
constexpr const char* subject_name = "subject";
constexpr const char* token_id_name = "token_id";
constexpr const char* issued_before_name = "issued_before_ms";
constexpr const char* until_name = "until_ms";

// What lies beyond is nobody's time, and sums with what is within cannot overflow.
constexpr WallTime time_max{std::chrono::sys_days{std::chrono::year(10'000) / 1 / 1}};

// Before anything of it is asked, a text that is too long for one is none.
static_assert(revocation_text_octets_max > 6 * std::max(subject_octets_max, token_id_octets_max));

void set(json_t* object, const char* name, std::string_view value) {
  json_object_set_new(object, name, json_stringn(value.data(), value.size()));
}

void set(json_t* object, const char* name, WallTime time) {
  json_object_set_new(object, name, json_integer(time.time_since_epoch().count()));
}

std::optional<WallTime> time_of(const json_t* object, const char* name) {
  const json_t* member = json_object_get(object, name);
  const WallTime time{milliseconds(json_integer_value(member))};
  if (!json_is_integer(member) || time < WallTime{} || time >= time_max) return std::nullopt;
  return time;
}

}  // namespace

bool valid_token_id(std::string_view token_id) {
  return !token_id.empty() && token_id.size() <= token_id_octets_max &&
         utf8_without_controls(token_id);
}

// It meets all that does not say when it was issued, whenever `issued_before` was.
Revocation revoke_subject(std::string_view subject, WallTime issued_before, WallTime now,
                          milliseconds longest) {
  return {std::string(subject), issued_before,
          std::max(issued_before, now) + longest + clocks_apart_max};
}

Revocation revoke_token(std::string_view token_id, WallTime now, milliseconds longest) {
  return {std::string(token_id), std::nullopt, now + longest + clocks_apart_max};
}

Revocation merged(const Revocation& a, const Revocation& b) {
  return {a.name, std::max(a.issued_before, b.issued_before), std::max(a.until, b.until)};
}

std::string write_revocation(const Revocation& revocation) {
  const OwnedJson object(json_object());
  set(object.get(), type_name, type_value);
  set(object.get(), revocation.of_subject() ? subject_name : token_id_name, revocation.name);
  if (revocation.issued_before) set(object.get(), issued_before_name, *revocation.issued_before);
  set(object.get(), until_name, revocation.until);
  return dump_json(object.get());
}

// What is there and is not read is found by writing it again.
std::optional<Revocation> read_revocation(std::string_view text) {
  if (text.size() > revocation_text_octets_max) return std::nullopt;
  const auto object = parse_json_object(text);
  if (!object) return std::nullopt;
  const auto until = time_of(object->get(), until_name);
  if (!until) return std::nullopt;
  Revocation read{.name = {}, .issued_before = std::nullopt, .until = *until};
  if (const json_t* subject = json_object_get(object->get(), subject_name)) {
    read.name = string_of(subject);
    read.issued_before = time_of(object->get(), issued_before_name);
    if (!read.issued_before || !valid_subject(read.name)) return std::nullopt;
  } else {
    read.name = string_of(json_object_get(object->get(), token_id_name));
    if (!valid_token_id(read.name)) return std::nullopt;
  }
  if (write_revocation(read) != text) return std::nullopt;
  return read;
}

}  // namespace auth
