// The cookie that names a login session of the application: express-session's, signed as npm's
// cookie-signature does, `s:<session id>.<HMAC-SHA256 of it, base64 without padding>`, and
// percent-encoded as a cookie's value is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace auth {

inline constexpr std::size_t session_cookie_octets_max = 4096;  // RFC 6265 section 6.1
inline constexpr std::size_t session_id_octets_max = 256;

// The session's id, of 1 to session_id_octets_max visible ASCII characters, if `secret` signed it;
// nothing for anything else, whatever it is. Signatures are compared in constant time. Who asks a
// store only after this asks it for no id that somebody made up.
std::optional<std::string> session_id(std::string_view cookie, std::string_view secret);

}  // namespace auth
