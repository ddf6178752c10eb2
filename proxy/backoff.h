// How long to wait before the next attempt: twice as long each time, and never the same time for
// all who were cut off together.
#pragma once

#include <cstdint>

#include "proxy/timers.h"

namespace proxy {

class Backoff {
 public:
  Backoff(Duration first, Duration longest) : first_(first), longest_(longest), next_(first) {}

  // Between half of it and all of it, by `random`, which is anything from 0 to 2^32 - 1.
  Duration next(std::uint32_t random) {
    const Duration whole = next_;
    next_ = next_ > longest_ / 2 ? longest_ : next_ * 2;
    const double share = static_cast<double>(random) / 0x1p32;
    return whole / 2 + Duration(static_cast<Duration::rep>(share * (whole / 2).count()));
  }

  void reset() { next_ = first_; }  // an attempt succeeded

 private:
  const Duration first_;
  const Duration longest_;
  Duration next_;
};

}  // namespace proxy
