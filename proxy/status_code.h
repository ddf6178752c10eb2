// WebSocket status codes (RFC 6455 section 7.4, and the IANA registry): which of them may be on the
// wire, and the body of a Close frame.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace proxy {

enum class StatusCode : std::uint16_t {
  NormalClosure = 1000,
  GoingAway = 1001,
  ProtocolError = 1002,
  UnsupportedData = 1003,
  NoStatusReceived = 1005,  // never sent: says that a Close had no body
  AbnormalClosure = 1006,   // never sent: says that there was no Close
  InvalidPayload = 1007,
  PolicyViolation = 1008,
  MessageTooBig = 1009,
  InternalError = 1011,
  ServiceRestart = 1012,
  TryAgainLater = 1013,
  BadGateway = 1014,
};

inline constexpr std::size_t close_reason_octets_max = 123;

// 1000-1003, 1007-1014, 3000-4999: what may be in a Close frame and passes across.
constexpr bool passes(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

struct Close {
  StatusCode code = StatusCode::NoStatusReceived;
  std::string reason;  // UTF-8, at most close_reason_octets_max
};

// The body of a Close frame; `code` is any code that passes(), or NoStatusReceived. On error the
// code that its sender gets: ProtocolError or InvalidPayload.
std::expected<Close, StatusCode> parse_close(std::string_view body);

// The other way. A reason that is too long is cut at a character's border.
std::string write_close(const Close& close);

}  // namespace proxy
