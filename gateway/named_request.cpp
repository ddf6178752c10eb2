#include "gateway/named_request.h"

#include "proxy/host.h"

namespace gateway {

namespace {

constexpr std::string_view original_uri = "X-Original-URI";
constexpr std::string_view forwarded_uri = "X-Forwarded-Uri";
constexpr std::string_view forwarded_host = "X-Forwarded-Host";

std::string_view value_of(const proxy::Fields& fields, std::string_view name) {
  const auto* value = fields.find(name);
  return value ? *value : std::string_view();
}

}  // namespace

std::optional<NamedRequest> find_named_request(const proxy::Fields& fields) {
  for (const auto name : {original_uri, forwarded_uri, forwarded_host}) {
    if (fields.count(name) > 1) return std::nullopt;
  }
  const bool by_original = fields.count(original_uri) == 1;
  const bool by_forwarded = fields.count(forwarded_uri) == 1;
  if (!by_original && !by_forwarded) return std::nullopt;
  const auto own_host = value_of(fields, "Host");
  const bool host_is_forwarded = by_forwarded && fields.count(forwarded_host) == 1;
  const NamedRequest named{host_is_forwarded ? value_of(fields, forwarded_host) : own_host,
                           value_of(fields, by_original ? original_uri : forwarded_uri)};
  if (host_is_forwarded && !proxy::well_formed_host(named.host)) return std::nullopt;
  const bool two_differ =
      by_original && by_forwarded &&
      (named.host != own_host || value_of(fields, forwarded_uri) != named.target);
  if (two_differ) return std::nullopt;
  return named;
}

}  // namespace gateway
