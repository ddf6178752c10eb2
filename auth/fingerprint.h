// What tells one key from another without showing anything of it.
#pragma once

#include <cstdint>
#include <string_view>

namespace auth {

// Of a key's octets: the first 64 bits of their SHA-256 (FIPS 180-4), or 1 where these are 0.
// 0: OpenSSL here has none.
std::uint64_t fingerprint_of(std::string_view octets);

}  // namespace auth
