// Randomness that nobody can guess, in small amounts: a thread draws from OpenSSL's generator in
// larger ones, since each draw costs a lock and a system call.
#pragma once

#include <span>

namespace proxy {

// False: the system has no randomness to give, and `out` is unchanged in part or whole.
[[nodiscard]] bool fill_random(std::span<unsigned char> out);

}  // namespace proxy
