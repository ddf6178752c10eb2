// Signals of the process, as calls from a loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "proxy/loop.h"

namespace proxy {

class Signals {
 public:
  explicit Signals(Loop& loop);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // From now on `number` calls `on_signal` from the loop instead of its default action.
  void watch(int number, std::function<void()> on_signal);

  // A peer that is gone is an error of the write, not the end of the process.
  static void ignore_broken_pipes();

 private:
  struct Watched;
  Loop& loop_;
  std::vector<std::unique_ptr<Watched>> watched_;
};

}  // namespace proxy
