// The curves of ECDSA in tokens, each with its one algorithm (RFC 7518 sections 3.4 and 6.2.1.1).
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "auth/algorithm.h"

namespace auth {

struct EcCurve {
  std::string_view crv;  // in a JWK
  const char* name;      // OpenSSL's
  Algorithm algorithm;
  std::size_t coordinate_octets;  // of x and y of a point, r and s of a signature
};

inline constexpr std::array<EcCurve, 3> ec_curves = {{
    {"P-256", "prime256v1", Algorithm::ES256, 32},
    {"P-384", "secp384r1", Algorithm::ES384, 48},
    {"P-521", "secp521r1", Algorithm::ES512, 66},
}};

}  // namespace auth
