// The fields of a head as auth/ reads them.
#pragma once

#include <vector>

#include "auth/credentials.h"
#include "proxy/http.h"

namespace gateway {

inline std::vector<auth::Field> views_of(const proxy::Fields& fields) {
  std::vector<auth::Field> views;
  views.reserve(fields.size());
  for (const auto& field : fields) views.push_back({field.name, field.value});
  return views;
}

}  // namespace gateway
