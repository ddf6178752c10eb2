// Asks all sessions of a worker to take the policy that it serves now, by slices so short that
// nobody's message waits long for one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "gateway/survey.h"

namespace gateway {

// A Survey (survey.h).
class AdoptionWalk {
 public:
  // A session's rooms may cost a millisecond; the clock is looked at between two sessions.
  static constexpr std::chrono::milliseconds slice_max{2};

  // `done` is called on the worker's thread when all have been asked.
  explicit AdoptionWalk(std::move_only_function<void()> done) : done_(std::move(done)) {}

  bool operator()(const Surveyed& surveyed);

 private:
  std::move_only_function<void()> done_;
  SessionCursor cursor_;
};

}  // namespace gateway
