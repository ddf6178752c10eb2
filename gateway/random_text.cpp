#include "gateway/random_text.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "proxy/random.h"

namespace gateway {

void fill_random_hexadecimal(std::span<char> out) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<unsigned char, 32> random;
  while (!out.empty()) {
    auto size = std::min(out.size(), random.size());
    if (!proxy::fill_random({random.data(), size})) std::abort();
    for (std::size_t i = 0; i < size; ++i) out[i] = digits[random[i] & 0xF];
    out = out.subspan(size);
  }
}

}  // namespace gateway
