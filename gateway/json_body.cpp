#include "gateway/json_body.h"

#include <charconv>
#include <string_view>

namespace gateway {
namespace {

bool says_json(const proxy::Fields& fields) {
  if (fields.count("Content-Type") != 1) return false;
  const std::string_view type = *fields.find("Content-Type");
  return proxy::equals_ignoring_case(proxy::trimmed(type.substr(0, type.find(';'))),
                                     "application/json");
}

}  // namespace

std::expected<std::size_t, int> json_body_octets(const proxy::RequestHead& request,
                                                 std::size_t octets_max) {
  if (!says_json(request.fields)) return std::unexpected(415);
  const auto* length = request.fields.find("Content-Length");
  if (!length) return std::unexpected(411);
  std::size_t octets = 0;
  std::from_chars(length->data(), length->data() + length->size(), octets);  // digits, at most 18
  if (octets > octets_max) return std::unexpected(413);
  return octets;
}

}  // namespace gateway
