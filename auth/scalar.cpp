#include "auth/scalar.h"

#include <jansson.h>

#include "auth/json.h"

namespace auth {
namespace {

bool same_number(std::int64_t integer, double real) {
  // Outside of this range no 64-bit integer is equal, and the conversion would be undefined.
  if (!(real >= -0x1p63 && real < 0x1p63)) return false;
  const auto whole = static_cast<std::int64_t>(real);
  return whole == integer && static_cast<double>(whole) == real;
}

bool equal_to_integer(const json_t* value, std::int64_t integer) {
  if (json_is_integer(value)) return json_integer_value(value) == integer;
  return json_is_real(value) && same_number(integer, json_real_value(value));
}

bool equal_to_real(const json_t* value, double real) {
  if (json_is_real(value)) return json_real_value(value) == real;
  return json_is_integer(value) && same_number(json_integer_value(value), real);
}

}  // namespace

bool equal(const json_t* value, const Scalar& scalar) {
  if (const auto* text = std::get_if<std::string>(&scalar)) {
    return json_is_string(value) && string_of(value) == *text;
  }
  if (const auto* boolean = std::get_if<bool>(&scalar)) {
    return *boolean ? json_is_true(value) : json_is_false(value);
  }
  if (const auto* integer = std::get_if<std::int64_t>(&scalar)) {
    return equal_to_integer(value, *integer);
  }
  if (const auto* real = std::get_if<double>(&scalar)) return equal_to_real(value, *real);
  return json_is_null(value);
}

}  // namespace auth
