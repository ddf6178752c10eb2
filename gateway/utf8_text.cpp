#include "gateway/utf8_text.h"

#include <algorithm>

#include <fmt/format.h>

namespace gateway {

namespace {

bool is_control(unsigned char octet) { return octet < 0x20 || octet == 0x7f; }

// The length of the valid sequence at the front; 0: there is none. The table of RFC 3629 section 4.
std::size_t sequence_length(std::string_view text) {
  auto octet = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  auto within = [&](std::size_t at, unsigned low, unsigned high) {
    return at < text.size() && octet(at) >= low && octet(at) <= high;
  };
  unsigned char first = octet(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return within(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    unsigned high = first == 0xed ? 0x9f : 0xbf;
    return within(1, low, high) && within(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    unsigned low = first == 0xf0 ? 0x90 : 0x80;
    unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return within(1, low, high) && within(2, 0x80, 0xbf) && within(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t length = sequence_length(text.substr(at));
    if (length == 0) {
      break;
    }
    at += length;
  }
  return at;
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return is_control(c); });
}

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    if (shown.size() >= printable_octets_max) {
      return shown + "…";
    }
    std::size_t length = sequence_length(text);
    auto first = static_cast<unsigned char>(text.front());
    if (length == 0 || is_control(first)) {
      shown += fmt::format("\\x{:02x}", first);
      text.remove_prefix(1);
    } else {
      shown += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return shown;
}

}  // namespace gateway
