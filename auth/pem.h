// Keys in PEM (RFC 7468).
#pragma once

#include <expected>
#include <string_view>

#include "auth/key_error.h"
#include "auth/openssl.h"

namespace auth {

// Exactly one public key (SubjectPublicKeyInfo or PKCS #1) or one certificate, of which the key
// alone is used: its dates and its issuer are not asked.
std::expected<OwnedKey, KeyError> parse_public_pem(std::string_view pem);

// A private key without a passphrase.
std::expected<OwnedKey, KeyError> parse_private_pem(std::string_view pem);

}  // namespace auth
