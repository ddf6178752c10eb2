// A JSON scalar that the policy compares a claim with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

struct json_t;

namespace auth {

using Scalar = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string>;

// Exact and typed: 1 is not "1" and not true; strings octet by octet. An integer and a real are
// equal when they are the same number. An array or object, or a claim that is not there (null
// pointer), equals no scalar.
bool equal(const json_t* value, const Scalar& scalar);

}  // namespace auth
