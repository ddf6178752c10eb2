// Gives back to the system what a crowd of connections took, once it has gone. The allocator
// returns only what is free at the end of its heaps, and some connection that stays is always
// behind the others: after 3 000 TLS handshakes that came to nothing 120 MB were held that nobody
// used.
#pragma once

#include <cstdint>

#include "gateway/ledger.h"
#include "proxy/timers.h"

namespace gateway {

// Tells when a crowd has gone, and stays away: who come back would take the same memory again.
class Crowd {
 public:
  static constexpr std::uint32_t size_min = 1'024;  // what fewer took is not worth it
  static constexpr unsigned calm_seconds = 5;

  // Each second, with how many connections there are. True once for each crowd: for the last
  // `calm_seconds` there have been at most half of them.
  bool has_gone(std::uint32_t connections);

 private:
  std::uint32_t most_ = 0;  // since the last that has gone
  unsigned calm_ = 0;       // seconds
};

class SurplusMemory {
 public:
  SurplusMemory(proxy::Timers& timers, const Ledger& ledger);

 private:
  void on_second();

  const Ledger& ledger_;
  Crowd crowd_;
  proxy::Timer second_;
};

}  // namespace gateway
