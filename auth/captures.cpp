#include "auth/captures.h"

#include <algorithm>

#include "auth/ascii.h"

namespace auth {
namespace {

struct Piece {
  std::string_view literal;              // what comes before the name
  std::optional<std::string_view> name;  // none: `literal` is the rest
};

Piece take_piece(std::string_view& text) {
  std::size_t open = text.find('{');
  while (open != std::string_view::npos) {
    const std::size_t close = text.find_first_of("{}", open + 1);
    if (close == std::string_view::npos) break;
    const std::string_view name = text.substr(open + 1, close - open - 1);
    if (text[close] == '}' && valid_capture_name(name)) {
      const Piece piece{text.substr(0, open), name};
      text.remove_prefix(close + 1);
      return piece;
    }
    open = text.find('{', close);
  }
  return {std::exchange(text, {}), std::nullopt};
}

}  // namespace

bool valid_capture_name(std::string_view name) {
  if (name.empty() || is_digit(name.front())) return false;
  return std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

std::vector<std::string_view> capture_names(std::string_view text) {
  std::vector<std::string_view> names;
  while (!text.empty()) {
    if (const Piece piece = take_piece(text); piece.name) names.push_back(*piece.name);
  }
  return names;
}

std::optional<std::string> substitute(std::string_view text, Captures captures) {
  std::string whole;
  while (!text.empty()) {
    const Piece piece = take_piece(text);
    whole += piece.literal;
    if (!piece.name) break;
    const auto capture = std::ranges::find(captures, *piece.name,
                                           &std::pair<std::string_view, std::string_view>::first);
    if (capture == captures.end()) return std::nullopt;
    whole += capture->second;
  }
  return whole;
}

}  // namespace auth
