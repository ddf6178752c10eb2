// The opening handshake of RFC 6455 section 4, both roles, on heads that http.h has read. No I/O.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/http.h"

namespace proxy {

// --- as a server, towards a client (section 4.2) ---

enum class UpgradeError : std::uint8_t {
  NotWebSocket,  // no `Upgrade: websocket`, no `Connection: upgrade`, not GET: 426
  WrongVersion,  // Sec-WebSocket-Version is not 13: 426
  BadKey,        // Sec-WebSocket-Key is missing, twice, or not 16 octets of base64: 400
};

// The client's Sec-WebSocket-Key. That the request has no body is for the caller to ask: that is
// about form, which is judged before routes are.
std::expected<std::string, UpgradeError> check_upgrade(const RequestHead& request);

// Section 4.2.2 step 5.4: base64(SHA-1(key + GUID)).
std::string accept_of(std::string_view key);

// The whole 101. `subprotocol` empty: none.
std::string write_switching_protocols(std::string_view key, std::string_view subprotocol);

// Any answer but 101, whole: with Connection: close, Content-Length and a plain-text body of one
// line: `body`, or the reason phrase where that is empty. `fields`: further fields, such as
// WWW-Authenticate or Retry-After. A 426 says by itself what to upgrade to, and a 204 has no body.
// Nothing given may come from a request: an answer that repeats what it was asked is how a gateway
// is made to say things.
std::string write_response(int status, std::span<const Field> fields = {},
                           std::string_view body = {});

// The same with content of any type (RFC 9110 section 6.4).
struct Content {
  std::string_view type;  // a media type
  std::string_view octets;
  bool of_head_request = false;  // RFC 9110 section 9.3.2: only its length is said
};
std::string write_response(int status, std::span<const Field> fields, const Content& content);

std::string_view reason_phrase(int status);

// RFC 9110 section 10.1.1: curl waits for this before it sends a longer body.
inline constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

// --- as a client, towards a backend (section 4.1) ---

// 16 random octets as base64; none where the system has no randomness to give.
std::optional<std::string> make_key();

// The fields of a head as they are written. Nothing in them may be able to end a line: a CR, LF or
// NUL is a fault of the caller, not of a client.
class FieldLines {
 public:
  void reserve(std::size_t octets) { text_.reserve(octets); }
  void add(std::string_view name, std::string_view value);
  std::string_view text() const { return text_; }  // each line with its CRLF
  bool has_one_host() const { return hosts_ == 1; }

 private:
  std::string text_;
  std::size_t hosts_ = 0;
};

// `GET target HTTP/1.1`, the fields given, in order, then Connection, Upgrade,
// Sec-WebSocket-Version and -Key. The fields must contain Host and none of the latter.
std::string write_upgrade_request(std::string_view target, const FieldLines& fields,
                                  std::string_view key);

enum class UpgradeAnswer : std::uint8_t {
  Switched,
  Refused,  // a status of 4xx: response.status has it
  Wrong,    // anything else: another status, a wrong Sec-WebSocket-Accept, an extension, a
            // subprotocol that was not offered
};

// Section 4.1, "Once the client's opening handshake has been sent". `offered`: the subprotocols
// that were. `subprotocol`: the one selected, or empty.
UpgradeAnswer check_answer(const ResponseHead& response, std::string_view key,
                           std::span<const std::string_view> offered, std::string& subprotocol);

// Drops hop-by-hop fields (RFC 9110 section 7.6.1): Connection and all that it names, Keep-Alive,
// Proxy and Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade, HTTP2-Settings, Content-Length,
// Expect and Sec-WebSocket-Key, -Version, -Extensions; each also with '_' for '-', as CGI and WSGI
// read it. Host, Origin and Sec-WebSocket-Protocol stay even if Connection names them: the
// handshake cannot do without them, and they go to the backend as they came. Views as given.
Fields without_hop_by_hop(const Fields& fields);

// Is `name` equal to `ours` with case and '_' / '-' folded (CVE-2025-64484)?
bool aliases(std::string_view name, std::string_view ours);

}  // namespace proxy
