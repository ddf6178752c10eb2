// Times as people and programs write them (RFC 3339).
#pragma once

#include <optional>
#include <string_view>

#include "auth/principal.h"

namespace auth {

// date-time of RFC 3339 section 5.6: 2027-01-01T00:00:00.500Z, with an offset where there is one,
// to the millisecond.
std::optional<WallTime> parse_timestamp(std::string_view text);

}  // namespace auth
