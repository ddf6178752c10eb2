#include "gateway/revocation_request.h"

#include <jansson.h>

#include "auth/json.h"
#include "auth/numeric_date.h"
#include "auth/revocation.h"
#include "auth/subject.h"

namespace gateway {
namespace {

std::unexpected<std::string_view> fault(std::string_view what) { return std::unexpected(what); }

// NumericDate (RFC 7519 section 2), as the iat that it is compared with.
std::expected<std::optional<auth::WallTime>, std::string_view> read_issued_before(
    const json_t* member, auth::WallTime now) {
  if (!member) return std::optional<auth::WallTime>();
  const auto time = auth::numeric_date(member);
  if (!time || *time < auth::WallTime{}) {
    return fault("issued_before: expected seconds since the epoch");
  }
  if (*time > now + issued_before_ahead_max) return fault("issued_before: too far in the future");
  return time;
}

}  // namespace

std::expected<RevocationRequest, std::string_view> read_revocation_request(std::string_view json,
                                                                           auth::WallTime now) {
  const auto object = auth::parse_json_object(json);
  if (!object) return fault("expected one JSON object with no name in it twice");
  const json_t* subject = json_object_get(object->get(), "subject");
  const json_t* token_id = json_object_get(object->get(), "token_id");
  const json_t* issued_before = json_object_get(object->get(), "issued_before");
  if (!subject == !token_id) return fault("expected either subject or token_id");
  if (token_id && issued_before) return fault("issued_before: only with subject");
  if (json_object_size(object->get()) > (issued_before ? 2 : 1)) {
    return fault("expected no member but subject, token_id and issued_before");
  }
  if (subject && !auth::valid_subject(auth::string_of(subject))) {
    return fault("subject: expected a string of 1 to 256 octets without control characters");
  }
  if (token_id && !auth::valid_token_id(auth::string_of(token_id))) {
    return fault("token_id: expected a string of 1 to 256 octets without control characters");
  }
  const auto time = read_issued_before(issued_before, now);
  if (!time) return fault(time.error());
  return RevocationRequest{subject != nullptr,
                           std::string(auth::string_of(subject ? subject : token_id)), *time};
}

}  // namespace gateway
