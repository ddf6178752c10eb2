// How much may wait in the whole process for peers that do not read. Asked for what a write left
// over, not for each frame: every worker counts here.
#pragma once

#include <cstddef>

namespace proxy {

// What one peer may leave waiting uncounted: those who hold much must not get those closed who hold
// next to nothing, and most that ever wait take no part in the count.
inline constexpr std::size_t queue_free_octets = 16 * 1024;

class QueueBudget {
 public:
  // False: there would be too much, and nothing is reserved. From any thread.
  [[nodiscard]] virtual bool reserve_queued(std::size_t octets) = 0;
  virtual void release_queued(std::size_t octets) = 0;  // at most what is reserved

 protected:
  ~QueueBudget() = default;
};

}  // namespace proxy
