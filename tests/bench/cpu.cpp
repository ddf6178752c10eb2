#include "tests/bench/cpu.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fmt/core.h>

namespace tests::bench {

double cpu_seconds_of(const std::vector<pid_t>& processes) {
  double seconds = 0;
  for (const pid_t process : processes) {
    std::error_code error;
    const std::filesystem::path threads = fmt::format("/proc/{}/task", process);
    for (std::filesystem::directory_iterator at{threads, error}, end; !error && at != end;
         at.increment(error)) {
      // User and system time of /proc/PID/stat sum up to the first number here, but are rounded to
      // ticks of 10 ms, too coarse for a run of a second.
      std::ifstream file{at->path() / "schedstat"};
      std::uint64_t nanoseconds = 0;
      if (file >> nanoseconds) {
        seconds += static_cast<double>(nanoseconds) / 1e9;
      }
    }
  }
  return seconds;
}

}  // namespace tests::bench
