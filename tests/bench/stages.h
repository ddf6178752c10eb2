// The stages that runs have in common: measure for a while, wait for what is under way, close.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "tests/bench/crowd.h"
#include "tests/bench/latencies.h"
#include "tests/bench/runs.h"

namespace tests::bench {

inline constexpr std::int64_t open_ns_max = 60 * ns_per_second;
// Long enough for what a paced run has left to do on a machine that is busy with something else.
inline constexpr std::int64_t echo_ns_max = 30 * ns_per_second;
inline constexpr std::int64_t close_ns_max = 15 * ns_per_second;

std::int64_t to_ns(double seconds);

std::unexpected<std::string> faults_of(const Crowd& crowd);

void turn_until(Crowd& crowd, std::int64_t end_ns);

// Until each client has what is to come to it.
std::expected<void, std::string> await_echoes(Crowd& crowd, std::int64_t deadline_ns);

// Warms up, then measures; `count` says of how many there were so far.
RunResult measure(Crowd& crowd, const RunSettings& settings,
                  const std::function<std::uint64_t()>& count);

// Says on standard output that all are open.
void say_established(const Crowd& crowd);

// Says so, and holds them until standard input ends.
void hold_until_input_ends(Crowd& crowd);

void take_latencies(Latencies& latencies, RunResult& result);

// The same end of every run.
RunOutcome finish(Crowd& crowd, const RunResult& result);

// Counts and processor time between its making and its end.
class Window {
 public:
  Window(const RunSettings& settings, std::uint64_t count);

  RunResult end(std::uint64_t count) const;

 private:
  const std::vector<pid_t>& measured_;
  std::uint64_t began_count_;
  double began_cpu_seconds_;
  std::int64_t began_ns_;
};

}  // namespace tests::bench
