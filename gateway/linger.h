// How long, and how much, a client that was answered is listened to, so that it reads the answer
// and is not reset (RFC 9112 section 9.6).
#pragma once

#include <chrono>
#include <cstddef>

namespace gateway {

inline constexpr std::chrono::seconds linger_max{2};
inline constexpr std::size_t linger_octets_max = 256 * 1024;

}  // namespace gateway
