// The places that may carry a credential: finding it in an opening handshake, and stripping every
// such place before the handshake goes on to a backend. One place is behind the handshake.
#pragma once

#include <cstdint>
#include <expected>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace auth {

struct Field {
  std::string_view name;
  std::string_view value;
};

// What a handshake has that a credential may be in. Views into the request.
struct HandshakeFields {
  std::span<const Field> fields;
  std::string_view query;  // of the request target, without '?'; RFC 6750 section 2.3
};

struct CredentialPlace {
  enum class Kind : std::uint8_t {
    Header,
    Subprotocol,
    Cookie,
    Query,
    Ticket,        // a query parameter, too; what it holds is no token but stands for one
    FirstMessage,  // of the client, after its 101: nothing in a handshake
  };
  Kind kind;
  std::string name;  // field name, subprotocol prefix, cookie name or parameter name; else empty

  bool operator==(const CredentialPlace&) const = default;
};

enum class CredentialsError : std::uint8_t {
  Missing,    // no place holds anything
  Ambiguous,  // the same place twice
  Malformed,  // a place holds something that can be no credential: another scheme than Bearer
};

struct Credential {
  CredentialPlace::Kind kind;
  std::size_t place;  // index into the places asked for
  std::string value;  // percent-decoded where it was a query parameter
};

// The first place, in order, that holds something, good or bad.
std::expected<Credential, CredentialsError> find_credential(
    const HandshakeFields& handshake, std::span<const CredentialPlace> places);

// The handshake without any of these places: fields whose every part was a credential are left out
// whole. Field order and everything else is kept as it came.
struct StrippedHandshake {
  std::vector<Field> fields;         // views into the request, or into `rewritten`
  std::string query;                 // without '?'; empty: none
  std::list<std::string> rewritten;  // values of which a part was a credential
};
StrippedHandshake strip_credentials(const HandshakeFields& handshake,
                                    std::span<const CredentialPlace> places);

// RFC 6455 section 11.3.4: all values of Sec-WebSocket-Protocol in order. At most
// `subprotocols_max`, each an RFC 9110 token; otherwise Malformed. In linear time.
inline constexpr std::size_t subprotocols_max = 16;
std::expected<std::vector<std::string_view>, CredentialsError> parse_subprotocols(
    std::span<const Field> fields);

}  // namespace auth
