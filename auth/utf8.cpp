#include "auth/utf8.h"

#include <cstdint>

namespace auth {
namespace {

// Takes one code point off the front of `text`; negative: this is no UTF-8.
std::int32_t take_code_point(std::string_view& text) {
  const auto octet = [&](std::size_t at) {
    return static_cast<std::int32_t>(static_cast<unsigned char>(text[at]));
  };
  const std::int32_t first = octet(0);
  std::size_t octets = 1;
  std::int32_t code_point = first;
  std::int32_t smallest = 0;  // a longer form than needed is refused
  if (first >= 0x80) {
    if (first >= 0xc2 && first <= 0xdf) {
      octets = 2, code_point = first & 0x1f, smallest = 0x80;
    } else if ((first & 0xf0) == 0xe0) {
      octets = 3, code_point = first & 0x0f, smallest = 0x800;
    } else if (first >= 0xf0 && first <= 0xf4) {
      octets = 4, code_point = first & 0x07, smallest = 0x10000;
    } else {
      return -1;
    }
  }
  if (text.size() < octets) return -1;
  for (std::size_t at = 1; at < octets; ++at) {
    if ((octet(at) & 0xc0) != 0x80) return -1;
    code_point = code_point << 6 | (octet(at) & 0x3f);
  }
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < smallest || code_point > 0x10ffff || surrogate) return -1;
  text.remove_prefix(octets);
  return code_point;
}

bool is_control(std::int32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f);
}

}  // namespace

bool utf8_without_controls(std::string_view text) {
  while (!text.empty()) {
    const std::int32_t code_point = take_code_point(text);
    if (code_point < 0 || is_control(code_point)) return false;
  }
  return true;
}

}  // namespace auth
