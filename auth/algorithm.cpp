#include "auth/algorithm.h"

#include <array>

namespace auth {
namespace {

constexpr std::array<std::string_view, algorithms_count> names = {
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
    "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
};

}  // namespace

std::optional<Algorithm> parse_algorithm(std::string_view name) {
  for (std::size_t index = 0; index < names.size(); ++index) {
    if (names[index] == name) return static_cast<Algorithm>(index);
  }
  return std::nullopt;
}

std::string_view name_of(Algorithm algorithm) { return names[static_cast<std::size_t>(algorithm)]; }

}  // namespace auth
