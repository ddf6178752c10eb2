#include "proxy/random.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace proxy {

namespace {

struct Pool {
  std::array<unsigned char, 1024> octets;
  std::size_t used = octets.size();

  bool refill() {
    if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) return false;
    used = 0;
    return true;
  }
};

}  // namespace

bool fill_random(std::span<unsigned char> out) {
  thread_local Pool pool;
  while (!out.empty()) {
    if (pool.used == pool.octets.size() && !pool.refill()) return false;
    auto size = std::min(out.size(), pool.octets.size() - pool.used);
    std::memcpy(out.data(), pool.octets.data() + pool.used, size);
    OPENSSL_cleanse(pool.octets.data() + pool.used, size);  // nothing is given out twice
    pool.used += size;
    out = out.subspan(size);
  }
  return true;
}

std::uint32_t random_number() {
  std::array<unsigned char, sizeof(std::uint32_t)> octets{};
  if (!fill_random(octets)) return 0;
  std::uint32_t number = 0;
  for (const auto octet : octets) number = number << 8 | octet;
  return number;
}

}  // namespace proxy
