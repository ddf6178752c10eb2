#include "gateway/random_text.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <openssl/rand.h>

namespace gateway {

void fill_random_hexadecimal(std::span<char> out) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<std::uint8_t, 32> random;
  while (!out.empty()) {
    auto size = std::min(out.size(), random.size());
    if (RAND_bytes(random.data(), static_cast<int>(size)) != 1) std::abort();
    for (std::size_t i = 0; i < size; ++i) out[i] = digits[random[i] & 0xF];
    out = out.subspan(size);
  }
}

}  // namespace gateway
