#include "gateway/plain_scalar.h"

#include <cstdlib>
#include <string_view>

namespace gateway {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// RFC 8259 section 6.
bool is_json_number(std::string_view text, bool& real) {
  auto digits = [&text] {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) ++count;
    text.remove_prefix(count);
    return count;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  bool zero = text.starts_with('0');
  std::size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) {
    return false;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    real = true;
    if (digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    real = true;
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

bool some_number(const std::string& text) {
  static constexpr std::string_view figures = "0123456789_:";
  std::string_view unsigned_text = text;
  if (text.starts_with('+') || text.starts_with('-')) unsigned_text.remove_prefix(1);
  if (unsigned_text.empty()) {
    return false;
  }
  std::string word = lower(unsigned_text);
  if (word == ".inf" || word == ".nan" || word.starts_with("0o") || word.starts_with("0b")) {
    return true;
  }
  if (is_digit(word.front()) && word.find_first_not_of(figures) == word.npos) {
    return true;
  }
  char* end = nullptr;
  bool figure_first = is_digit(word.front()) || word.front() == '.';
  return figure_first && (std::strtod(text.c_str(), &end), *end == '\0');
}

}  // namespace

Plain classify(const std::string& text) {
  bool real = false;
  if (text == "true" || text == "false") return Plain::Bool;
  if (is_json_number(text, real)) return real ? Plain::Real : Plain::Integer;
  if (some_number(text)) return Plain::AmbiguousNumber;
  for (std::string_view word : {"true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (lower(text) == word) return Plain::AmbiguousWord;
  }
  return Plain::Text;
}

}  // namespace gateway
