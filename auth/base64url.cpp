#include "auth/base64url.h"

#include <array>
#include <cstdint>

namespace auth {
namespace {

// RFC 4648 section 5.
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint32_t no_digit = 0x80;  // a bit that no sum of digits has

constexpr std::array<std::uint8_t, 256> digits = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(no_digit);
  for (std::size_t value = 0; value < alphabet.size(); ++value) {
    table[static_cast<unsigned char>(alphabet[value])] = static_cast<std::uint8_t>(value);
  }
  return table;
}();

std::uint32_t digit(char c) { return digits[static_cast<unsigned char>(c)]; }

char octet(std::uint32_t bits) { return static_cast<char>(static_cast<unsigned char>(bits)); }

}  // namespace

std::string base64url_encode(std::string_view octets) {
  const std::size_t rest = octets.size() % 3;
  std::string text;
  text.resize(octets.size() / 3 * 4 + (rest == 0 ? 0 : rest + 1));
  char* out = text.data();
  const auto octet_at = [&](std::size_t at) {
    return std::uint32_t{static_cast<unsigned char>(octets[at])};
  };
  std::size_t in = 0;
  for (; in + 3 <= octets.size(); in += 3) {
    const std::uint32_t bits = octet_at(in) << 16 | octet_at(in + 1) << 8 | octet_at(in + 2);
    *out++ = alphabet[bits >> 18];
    *out++ = alphabet[(bits >> 12) & 0x3f];
    *out++ = alphabet[(bits >> 6) & 0x3f];
    *out++ = alphabet[bits & 0x3f];
  }
  if (rest > 0) {
    const std::uint32_t bits = octet_at(in) << 16 | (rest == 2 ? octet_at(in + 1) << 8 : 0);
    *out++ = alphabet[bits >> 18];
    *out++ = alphabet[(bits >> 12) & 0x3f];
    if (rest == 2) *out++ = alphabet[(bits >> 6) & 0x3f];
  }
  return text;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  const std::size_t rest = text.size() % 4;
  if (rest == 1) return std::nullopt;  // six bits are no octet
  std::string octets;
  octets.resize(text.size() / 4 * 3 + (rest == 0 ? 0 : rest - 1));
  char* out = octets.data();
  const char* in = text.data();
  const char* const whole_end = in + (text.size() - rest);
  std::uint32_t seen = 0;
  for (; in != whole_end; in += 4) {
    const std::uint32_t a = digit(in[0]), b = digit(in[1]), c = digit(in[2]), d = digit(in[3]);
    seen |= a | b | c | d;
    const std::uint32_t bits = a << 18 | b << 12 | c << 6 | d;
    *out++ = octet(bits >> 16);
    *out++ = octet(bits >> 8);
    *out++ = octet(bits);
  }
  if (rest >= 2) {
    const std::uint32_t a = digit(in[0]), b = digit(in[1]), c = rest == 3 ? digit(in[2]) : 0;
    seen |= a | b | c;
    const std::uint32_t bits = a << 18 | b << 12 | c << 6;
    // RFC 4648 section 3.5: bits that no octet takes must be zero, or two texts would be one token.
    if ((bits & (rest == 2 ? 0xffffU : 0xffU)) != 0) return std::nullopt;
    *out++ = octet(bits >> 16);
    if (rest == 3) *out++ = octet(bits >> 8);
  }
  if ((seen & no_digit) != 0) return std::nullopt;
  return octets;
}

}  // namespace auth
