#include "gateway/surplus_memory.h"

#include <algorithm>
#include <chrono>

#include <malloc.h>

namespace gateway {

bool Crowd::has_gone(std::uint32_t connections) {
  most_ = std::max(most_, connections);
  const bool calm = most_ >= size_min && connections <= most_ / 2;
  calm_ = calm ? calm_ + 1 : 0;
  if (calm_ < calm_seconds) return false;
  most_ = connections;
  calm_ = 0;
  return true;
}

SurplusMemory::SurplusMemory(proxy::Timers& timers, const Ledger& ledger)
    : ledger_(ledger), second_(timers, [this] { on_second(); }) {
  second_.arm(std::chrono::seconds(1));
}

// A worker that allocates meanwhile waits for its own heap alone: some 15 ms for 100 MB.
void SurplusMemory::on_second() {
  second_.arm(std::chrono::seconds(1));
  if (crowd_.has_gone(ledger_.open())) malloc_trim(0);
}

}  // namespace gateway
