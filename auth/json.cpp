// simdjson finds out what a text says, or that it is no JSON; jansson's values are what is handed
// on. What jansson's own reader refuses and simdjson does not is refused here: names that come
// twice, NUL in strings, integers that no json_int_t holds.
#include "auth/json.h"

#include <cstdlib>
#include <new>

#include <simdjson.h>

namespace auth {
namespace {

namespace dom = simdjson::dom;
using Value = std::expected<OwnedJson, JsonError>;

std::unexpected<JsonError> malformed() { return std::unexpected(JsonError::Malformed); }

std::unexpected<JsonError> too_deep() { return std::unexpected(JsonError::TooDeep); }

// Keeps what it has read with until its thread ends: memory for the longest text so far.
dom::parser make_parser() {
  constexpr std::size_t octets_at_first = 8 * 1024;
  dom::parser parser;
  // simdjson counts the root, and an empty array or object not at all: value_from() counts them.
  if (parser.allocate(octets_at_first, json_depth_max + 1)) throw std::bad_alloc();
  return parser;
}

Value owned(json_t* value) {
  if (value == nullptr) return malformed();
  return OwnedJson(value);
}

bool has_nul(std::string_view text) { return text.contains('\0'); }

Value string_from(std::string_view text) {
  if (has_nul(text)) return malformed();
  return owned(json_stringn(text.data(), text.size()));
}

Value value_from(dom::element element, std::size_t depth);

// `depth`: of the array itself, or of the object.
Value array_from(const dom::array& elements, std::size_t depth) {
  if (depth > json_depth_max) return too_deep();
  OwnedJson array(json_array());
  for (const dom::element element : elements) {
    auto value = value_from(element, depth + 1);
    if (!value) return value;
    if (json_array_append_new(array.get(), value->release()) != 0) return malformed();
  }
  return array;
}

Value object_from(const dom::object& members, std::size_t depth) {
  if (depth > json_depth_max) return too_deep();
  OwnedJson object(json_object());
  for (const auto& [name, element] : members) {
    auto value = value_from(element, depth + 1);
    if (!value) return value;
    const bool set = !has_nul(name) && json_object_setn_new(object.get(), name.data(), name.size(),
                                                            value->release()) == 0;
    if (!set) return malformed();
  }
  // Of two that have one name the second has taken the place of the first.
  if (json_object_size(object.get()) != members.size()) {
    return std::unexpected(JsonError::DuplicateName);
  }
  return object;
}

Value value_from(dom::element element, std::size_t depth) {
  switch (element.type()) {
    case dom::element_type::OBJECT:
      return object_from(element.get_object().value_unsafe(), depth);
    case dom::element_type::ARRAY:
      return array_from(element.get_array().value_unsafe(), depth);
    case dom::element_type::STRING:
      return string_from(element.get_string().value_unsafe());
    case dom::element_type::INT64:
      return owned(json_integer(element.get_int64().value_unsafe()));
    case dom::element_type::DOUBLE:
      return owned(json_real(element.get_double().value_unsafe()));
    case dom::element_type::BOOL:
      return owned(json_boolean(element.get_bool().value_unsafe()));
    case dom::element_type::NULL_VALUE:
      return owned(json_null());
    case dom::element_type::UINT64:  // over 2^63 - 1
      break;
  }
  return malformed();
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
  // RFC 8259 section 8.1: it may be ignored; later versions of simdjson do, and jansson does not.
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) return malformed();
  thread_local dom::parser parser = make_parser();
  const auto root = parser.parse(text.data(), text.size());
  if (root.error() == simdjson::DEPTH_ERROR) return too_deep();
  dom::object object;
  if (root.get(object)) return malformed();
  return object_from(object, 1);
}

}  // namespace auth
