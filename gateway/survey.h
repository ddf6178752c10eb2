// A look at what a worker holds, by the slice: what it finds may be as much as clients choose, so
// the worker serves its clients between two slices.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "gateway/rooms.h"
#include "gateway/session.h"
#include "proxy/timers.h"

namespace gateway {

inline constexpr std::size_t survey_slice = 1'024;  // sessions or rooms that a step looks at

// On the worker's thread, for one step.
struct Surveyed {
  std::span<const std::unique_ptr<Session>> sessions;  // any may be closed: it goes later
  const Rooms& rooms;
  proxy::Instant now;
};

// A step; once an iteration of the worker's loop, as long as it says that there is more.
using Survey = std::move_only_function<bool(const Surveyed&)>;

// Goes through all sessions. Between two steps one that is gone has given its place to the last, so
// it goes from the end to the beginning: it misses none that stays, and may meet one twice.
class SessionCursor {
 public:
  std::span<const std::unique_ptr<Session>> next_slice(const Surveyed& surveyed,
                                                       std::size_t sessions_max = survey_slice) {
    const auto sessions = surveyed.sessions;
    const auto end = begun_ ? std::min(left_, sessions.size()) : sessions.size();
    begun_ = true;
    left_ = end - std::min(end, sessions_max);
    return sessions.subspan(left_, end - left_);
  }
  bool more() const { return left_ > 0; }  // after the first slice

 private:
  bool begun_ = false;
  std::size_t left_ = 0;  // sessions at the front that have not been looked at
};

}  // namespace gateway
