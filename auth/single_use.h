// What serves once, and the names under which it is kept: SHA-256 of it, so that who reads the
// names learns nothing that opens a connection, and nobody chooses them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace auth {

// Of a token whose jti opens one connection only. Issuers may number alike, and so may who stands
// behind an authenticator of another name. 43 characters of base64url.
std::string name_of_token(std::string_view authenticator, std::string_view issuer,
                          std::string_view token_id);

// A ticket is 128 random bits as base64url, 22 characters.
using TicketBits = std::array<unsigned char, 16>;
std::string write_ticket(const TicketBits& bits);
bool valid_ticket(std::string_view ticket);

// 43 characters of base64url.
std::string name_of_ticket(std::string_view ticket);

}  // namespace auth
