#include "gateway/json_text.h"

#include <algorithm>

namespace gateway {
namespace {

using namespace std::literals;

// RFC 8259 section 7: these must be escaped, and nothing else is.
bool is_escaped(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void append_escaped(std::string& text, char c) {
  constexpr auto hex = "0123456789abcdef"sv;
  const auto octet = static_cast<unsigned char>(c);
  if (octet < 0x20) {
    text += "\\u00"sv;
    text += hex[octet >> 4];
    text += hex[octet & 0xf];
  } else {
    text += '\\';
    text += c;
  }
}

}  // namespace

void append_json_string(std::string& text, std::string_view string) {
  text += '"';
  while (!string.empty()) {
    const auto plain = static_cast<std::size_t>(
        std::find_if(string.begin(), string.end(), is_escaped) - string.begin());
    text += string.substr(0, plain);
    if (plain == string.size()) break;
    append_escaped(text, string[plain]);
    string.remove_prefix(plain + 1);
  }
  text += '"';
}

}  // namespace gateway
