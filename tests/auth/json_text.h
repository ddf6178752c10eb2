// JSON in a test, as the room itself reads it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "auth/json.h"
#include "auth/principal.h"

namespace tests {

inline std::shared_ptr<const json_t> json(std::string_view text) {
  auto object = auth::parse_json_object(text);
  REQUIRE_MESSAGE(object.has_value(), "test JSON: ", text);
  return std::shared_ptr<const json_t>(*std::move(object));
}

inline auth::Claims claims(std::string_view text) {
  return auth::Claims(json(text), std::string(text));
}

}  // namespace tests
