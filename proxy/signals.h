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

  static void ignore(int number);

  // For the thread that calls: from now on the signal waits, for as long as the process lives.
  static void block(int number);

 private:
  struct Watched;
  Loop& loop_;
  std::vector<std::unique_ptr<Watched>> watched_;
};

}  // namespace proxy
