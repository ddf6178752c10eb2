// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), for tables whose keys
// a client may choose: without the key nobody finds names that fall into one bucket.
#pragma once

#include <cstdint>
#include <string_view>

namespace gateway {

struct HashKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;

  static HashKey random();  // from the kernel
};

std::uint64_t keyed_hash(const HashKey& key, std::string_view octets);

}  // namespace gateway
