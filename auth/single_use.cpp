#include "auth/single_use.h"

#include <cassert>
#include <initializer_list>
#include <tuple>

#include "auth/base64url.h"
#include "auth/openssl.h"

namespace auth {
namespace {

// Each part with its length before it: no two lists of parts are one text.
std::string digest_of(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const auto part : parts) ((text += std::to_string(part.size())) += ':') += part;
  std::array<char, 32> digest;
  const bool done =
      EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                 EVP_sha256(), nullptr) == 1;
  assert(done);  // it is part of every libcrypto
  std::ignore = done;
  return base64url_encode({digest.data(), digest.size()});
}

}  // namespace

std::string name_of_token(std::string_view authenticator, std::string_view issuer,
                          std::string_view token_id) {
  return digest_of({authenticator, issuer, token_id});
}

std::string write_ticket(const TicketBits& bits) {
  return base64url_encode({reinterpret_cast<const char*>(bits.data()), bits.size()});
}

bool valid_ticket(std::string_view ticket) {
  constexpr std::size_t characters = (8 * sizeof(TicketBits) + 5) / 6;
  return ticket.size() == characters && base64url_decode(ticket);
}

std::string name_of_ticket(std::string_view ticket) { return digest_of({ticket}); }

}  // namespace auth
