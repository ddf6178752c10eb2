#include "auth/session_cookie.h"

#include <algorithm>
#include <array>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "auth/openssl.h"
#include "auth/percent.h"

namespace auth {
namespace {

constexpr std::string_view signed_prefix = "s:";
constexpr std::size_t mac_octets = 32;
constexpr std::size_t base64_octets = 43;  // of these, without padding

// Applications make ids as they like (`genid`), but not of what a log or a key would trip over.
bool may_be_id(std::string_view text) {
  return !text.empty() && text.size() <= session_id_octets_max &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

// Empty where OpenSSL has none.
std::string signature_of(std::string_view id, std::string_view secret) {
  const QuietErrors quiet;
  std::array<unsigned char, mac_octets> mac;
  unsigned octets = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), octets_of(id), id.size(),
           mac.data(), &octets) == nullptr ||
      octets != mac.size()) {
    return {};
  }
  std::array<unsigned char, base64_octets + 2> encoded;  // with its padding and a NUL
  EVP_EncodeBlock(encoded.data(), mac.data(), mac_octets);
  return {reinterpret_cast<const char*>(encoded.data()), base64_octets};
}

bool has_signed(std::string_view secret, std::string_view id, std::string_view signature) {
  const auto expected = signature_of(id, secret);
  return expected.size() == signature.size() &&
         CRYPTO_memcmp(expected.data(), signature.data(), signature.size()) == 0;
}

}  // namespace

std::optional<std::string> session_id(std::string_view cookie, std::string_view secret) {
  if (cookie.size() > session_cookie_octets_max) return std::nullopt;
  const auto value = percent_decode(cookie, Plus::IsItself);
  if (!value || !value->starts_with(signed_prefix)) return std::nullopt;
  const auto dot = value->rfind('.');
  if (dot == value->npos || dot < signed_prefix.size()) return std::nullopt;
  const std::string_view all = *value;
  const auto id = all.substr(signed_prefix.size(), dot - signed_prefix.size());
  const auto signature = all.substr(dot + 1);
  if (!may_be_id(id) || signature.size() != base64_octets) return std::nullopt;
  if (!has_signed(secret, id, signature)) return std::nullopt;
  return std::string(id);
}

}  // namespace auth
