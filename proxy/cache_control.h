// How long an answer stays fresh (RFC 9111 sections 4.2 and 5.2.2), for a private cache.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace proxy {

// RFC 9111 section 1.2.2: a larger number means this.
inline constexpr std::chrono::seconds freshness_max{1u << 31};

// From now on, by the answer's Cache-Control (all of its fields, comma-separated) and Age. None: it
// does not say. 0: it may not be kept, or what it says cannot be read.
std::optional<std::chrono::seconds> fresh_for(std::string_view cache_control, std::string_view age);

}  // namespace proxy
