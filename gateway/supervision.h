// The instance and the service manager that supervises it: it is ready, it ends, and it is alive as
// long as every worker answers. A process in which one thread is stuck is none that serves.
#pragma once

#include <optional>

#include "gateway/census.h"
#include "proxy/service_notice.h"
#include "proxy/timers.h"

namespace gateway {

class Supervision {
 public:
  // As the environment of the process says; without a manager it does nothing.
  Supervision(proxy::Timers& timers, Census& census);

  void ready();     // it listens, and its workers run
  void stopping();  // from SIGTERM on, the drain included

 private:
  // A sign of life is asked for so many times in the interval that the manager gives: one that is
  // late, since a worker is busy, is no reason to be killed.
  static constexpr int asked_per_interval = 4;

  void ask_workers();

  Census& census_;
  proxy::ServiceNotice notice_;
  std::optional<proxy::Duration> interval_;
  proxy::Timer next_;
};

}  // namespace gateway
