#include "auth/json_pointer.h"

#include <charconv>
#include <optional>
#include <string>

#include <jansson.h>

#include "auth/ascii.h"

namespace auth {
namespace {

// RFC 6901 section 4: "~1" is '/', "~0" is '~', and '~' before anything else is an error.
std::optional<std::string> unescape(std::string_view token) {
  std::string name;
  name.reserve(token.size());
  for (std::size_t at = 0; at < token.size(); ++at) {
    if (token[at] != '~') {
      name.push_back(token[at]);
    } else if (++at < token.size() && (token[at] == '0' || token[at] == '1')) {
      name.push_back(token[at] == '0' ? '~' : '/');
    } else {
      return std::nullopt;
    }
  }
  return name;
}

// RFC 6901 section 4: decimal digits without a leading zero. "-" is the element after the last one,
// which is never there.
const json_t* element_of(const json_t* array, std::string_view index) {
  if (index.empty() || (index.size() > 1 && index.front() == '0')) return nullptr;
  std::size_t number = 0;
  auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), number);
  if (error != std::errc{} || end != index.data() + index.size()) return nullptr;
  return json_array_get(array, number);
}

}  // namespace

const json_t* find_by_pointer(const json_t* document, std::string_view pointer) {
  const json_t* value = document;
  while (value != nullptr && !pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::string_view token = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(token.size());
    if (json_is_array(value)) {
      value = element_of(value, token);
    } else {
      const auto name = unescape(token);
      // Null as well where `value` is a scalar.
      value = name ? json_object_getn(value, name->data(), name->size()) : nullptr;
    }
  }
  return value;
}

}  // namespace auth
