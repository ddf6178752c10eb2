// ECDSA signatures: r and s side by side in a token (RFC 7518 section 3.4), DER for OpenSSL.
#pragma once

#include <string>
#include <string_view>

namespace auth {

// Empty where `raw` is not two numbers of `coordinate_octets` each, or one of them is zero: with
// r = s = 0 a verifier that forgets to look accepts every message (CVE-2022-21449).
std::string ecdsa_der(std::string_view raw, std::size_t coordinate_octets);

}  // namespace auth
