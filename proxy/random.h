// Randomness that nobody can guess, in small amounts: a thread draws from OpenSSL's generator in
// larger ones, since each draw costs a lock and a system call.
#pragma once

#include <cstdint>
#include <span>

namespace proxy {

// False: the system has no randomness to give, and `out` is unchanged in part or whole.
[[nodiscard]] bool fill_random(std::span<unsigned char> out);

// Anything from 0 to 2^32 - 1, to spread in time what would come all at once; 0 where there is no
// randomness, which is no reason to do without whatever comes.
std::uint32_t random_number();

}  // namespace proxy
