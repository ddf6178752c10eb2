#include "auth/fingerprint.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "auth/openssl.h"

namespace auth {

std::uint64_t fingerprint_of(std::string_view octets) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  if (EVP_Digest(octets.data(), octets.size(), digest.data(), nullptr, EVP_sha256(), nullptr) !=
      1) {
    return 0;
  }
  std::uint64_t fingerprint = 0;
  std::memcpy(&fingerprint, digest.data(), sizeof fingerprint);
  return std::max<std::uint64_t>(fingerprint, 1);
}

}  // namespace auth
