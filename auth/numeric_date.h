// NumericDate (RFC 7519 section 2): seconds since the epoch, an integer or a real.
#pragma once

#include <optional>

#include "auth/principal.h"

namespace auth {

// Milliseconds, rounded down; what lies beyond the years that anyone writes is moved to the border,
// so that sums with it cannot overflow. Nothing for what is not a number.
std::optional<WallTime> numeric_date(const json_t* value);

}  // namespace auth
