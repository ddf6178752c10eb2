#include "gateway/subprotocol.h"

#include <algorithm>
#include <vector>

#include "auth/credentials.h"

namespace gateway {

namespace {

bool carries_credential(std::string_view subprotocol, const Route& route) {
  return std::ranges::any_of(route.places, [&](const auth::CredentialPlace& place) {
    return place.kind == auth::CredentialPlace::Kind::Subprotocol &&
           subprotocol.starts_with(place.name);
  });
}

bool allowed(std::string_view subprotocol, const Route& route) {
  return route.subprotocols.empty() ||
         std::ranges::find(route.subprotocols, subprotocol) != route.subprotocols.end();
}

}  // namespace

std::string_view select_subprotocol(const proxy::Fields& fields, const Route& route) {
  std::vector<auth::Field> views;
  for (const auto& field : fields) views.push_back({field.name, field.value});
  const auto offered = auth::parse_subprotocols(views);
  if (!offered) return {};
  const auto selected = std::ranges::find_if(*offered, [&](std::string_view each) {
    return !carries_credential(each, route) && allowed(each, route);
  });
  return selected == offered->end() ? std::string_view() : *selected;
}

}  // namespace gateway
