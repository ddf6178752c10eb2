#include "tests/bench/latencies.h"

#include <algorithm>
#include <cstddef>

namespace tests::bench {

double Latencies::quantile_ms(double quantile) {
  if (all_ns_.empty()) {
    return 0;
  }
  const auto rank = static_cast<std::ptrdiff_t>(quantile * static_cast<double>(all_ns_.size() - 1));
  std::ranges::nth_element(all_ns_, all_ns_.begin() + rank);
  return static_cast<double>(all_ns_[static_cast<std::size_t>(rank)]) / 1e6;
}

}  // namespace tests::bench
