// What processes have spent on a processor.
#pragma once

#include <vector>

#include <sys/types.h>

namespace tests::bench {

// User and system time of all threads that live. A process that is gone counts as 0.
double cpu_seconds_of(const std::vector<pid_t>& processes);

}  // namespace tests::bench
