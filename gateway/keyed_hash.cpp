#include "gateway/keyed_hash.h"

#include <bit>
#include <cassert>
#include <cstring>

#include <sys/random.h>

namespace gateway {
namespace {

static_assert(std::endian::native == std::endian::little, "SipHash reads little-endian words");

// The four words of section 2.1 and the network that stirs them (section 2.2, "SipRound").
struct State {
  std::uint64_t v0, v1, v2, v3;

  explicit State(const HashKey& key)
      : v0(key.k0 ^ 0x736f6d6570736575),
        v1(key.k1 ^ 0x646f72616e646f6d),
        v2(key.k0 ^ 0x6c7967656e657261),
        v3(key.k1 ^ 0x7465646279746573) {}

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }

  void compress(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }

  std::uint64_t finish() {
    v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

HashKey HashKey::random() {
  HashKey key;
  const int failed = getentropy(&key, sizeof key);
  assert(failed == 0);  // only for more than 256 octets, or on a kernel older than 3.17
  static_cast<void>(failed);
  return key;
}

std::uint64_t keyed_hash(const HashKey& key, std::string_view octets) {
  State state(key);
  std::uint64_t last = std::uint64_t{octets.size()} << 56;
  while (octets.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, octets.data(), sizeof word);
    state.compress(word);
    octets.remove_prefix(sizeof word);
  }
  // Section 2.2: the octets that are left, and the length modulo 256 above them.
  std::uint64_t rest = 0;
  if (!octets.empty()) std::memcpy(&rest, octets.data(), octets.size());
  state.compress(last | rest);
  return state.finish();
}

}  // namespace gateway
