#include "proxy/status_code.h"

#include "proxy/utf8.h"

namespace proxy {

std::expected<Close, StatusCode> parse_close(std::string_view body) {
  if (body.empty()) return Close{};
  if (body.size() < 2) return std::unexpected(StatusCode::ProtocolError);  // section 5.5.1
  auto code = static_cast<std::uint16_t>(static_cast<std::uint8_t>(body[0]) << 8 |
                                         static_cast<std::uint8_t>(body[1]));
  body.remove_prefix(2);
  if (!passes(code)) return std::unexpected(StatusCode::ProtocolError);
  if (!valid_utf8(body)) return std::unexpected(StatusCode::InvalidPayload);
  return Close{static_cast<StatusCode>(code), std::string(body)};
}

std::string write_close(const Close& close) {
  if (close.code == StatusCode::NoStatusReceived) return {};
  auto code = static_cast<std::uint16_t>(close.code);
  std::string body{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  auto size = std::min(close.reason.size(), close_reason_octets_max);
  auto continues = [&](std::size_t i) { return (close.reason[i] & 0xC0) == 0x80; };
  while (size > 0 && size < close.reason.size() && continues(size)) --size;
  return body.append(close.reason, 0, size);
}

}  // namespace proxy
