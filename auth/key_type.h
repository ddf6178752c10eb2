// Which algorithms an asymmetric key may serve, by its type, curve and strength.
#pragma once

#include <expected>

#include "auth/algorithm.h"
#include "auth/key_error.h"
#include "auth/openssl.h"

namespace auth {

// Of a public key or a private one. An error where it is too weak for any, or of another type.
std::expected<AlgorithmSet, KeyError> algorithms_of(EVP_PKEY* key);

}  // namespace auth
