#include "auth/json.h"

#include <cstdlib>

namespace auth {
namespace {

// jansson recurses at each '[' and '{'; its own bound, 2048, is compiled into it. Text that is no
// JSON may be judged wrongly here: jansson then refuses it.
bool deeper_than(std::string_view text, std::size_t depth_max) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      if (c == '\\') ++at;
    } else if (c == '{' || c == '[') {
      if (++depth > depth_max) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace

std::string dump_json(const json_t* value) {
  struct ReleaseText {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, ReleaseText> text(json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY));
  return text ? text.get() : "null";
}

std::expected<OwnedJson, JsonError> parse_json_object(std::string_view text) {
  if (deeper_than(text, json_depth_max)) return std::unexpected(JsonError::TooDeep);
  json_error_t error;
  OwnedJson value(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, &error));
  if (!value) {
    return std::unexpected(json_error_code(&error) == json_error_duplicate_key
                               ? JsonError::DuplicateName
                               : JsonError::Malformed);
  }
  if (!json_is_object(value.get())) return std::unexpected(JsonError::Malformed);
  return value;
}

}  // namespace auth
