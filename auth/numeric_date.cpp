#include "auth/numeric_date.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <jansson.h>

namespace auth {
namespace {

constexpr std::int64_t seconds_max = 253'402'300'799;  // the last of the year 9999

}  // namespace

std::optional<WallTime> numeric_date(const json_t* value) {
  using std::chrono::milliseconds;
  if (json_is_integer(value)) {
    const std::int64_t seconds = json_integer_value(value);
    return WallTime(milliseconds(std::clamp(seconds, -seconds_max, seconds_max) * 1000));
  }
  if (!json_is_real(value)) return std::nullopt;
  const double seconds = json_real_value(value);
  if (std::isnan(seconds)) return std::nullopt;
  constexpr double bound = static_cast<double>(seconds_max);
  const double clamped = std::clamp(seconds, -bound, bound);  // infinity too
  return WallTime(milliseconds(static_cast<std::int64_t>(std::floor(clamped * 1000))));
}

}  // namespace auth
