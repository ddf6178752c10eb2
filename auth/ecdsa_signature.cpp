#include "auth/ecdsa_signature.h"

#include "auth/openssl.h"

namespace auth {
namespace {

OwnedNumber number_of(std::string_view octets) {
  OwnedNumber number(BN_bin2bn(octets_of(octets), static_cast<int>(octets.size()), nullptr));
  return number && !BN_is_zero(number.get()) ? std::move(number) : nullptr;
}

}  // namespace

std::string ecdsa_der(std::string_view raw, std::size_t coordinate_octets) {
  if (raw.size() != 2 * coordinate_octets) return {};
  OwnedNumber r = number_of(raw.substr(0, coordinate_octets));
  OwnedNumber s = number_of(raw.substr(coordinate_octets));
  const OwnedSignature signature(ECDSA_SIG_new());
  if (!r || !s || !signature) return {};
  if (ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
  r.release(), s.release();  // the signature's from here on
  const int octets = i2d_ECDSA_SIG(signature.get(), nullptr);
  if (octets <= 0) return {};
  std::string der(static_cast<std::size_t>(octets), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(signature.get(), &out);
  return der;
}

}  // namespace auth
