// How long things took, and the quantiles of that.
#pragma once

#include <cstdint>
#include <vector>

namespace tests::bench {

class Latencies {
 public:
  void add(std::int64_t ns) { all_ns_.push_back(ns); }
  void forget() { all_ns_.clear(); }

  // 0 where there is none.
  double quantile_ms(double quantile);

 private:
  std::vector<std::int64_t> all_ns_;
};

}  // namespace tests::bench
