#include "gateway/adoption_walk.h"

namespace gateway {

bool AdoptionWalk::operator()(const Surveyed& surveyed) {
  using Clock = std::chrono::steady_clock;  // the loop's stands still meanwhile
  const auto end = Clock::now() + slice_max;
  do {
    for (const auto& session : cursor_.next_slice(surveyed, 1)) session->follow_policy();
  } while (cursor_.more() && Clock::now() < end);
  if (cursor_.more()) return true;
  done_();
  return false;
}

}  // namespace gateway
