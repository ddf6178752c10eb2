// What is measured: each run opens its clients, warms up, measures for a while, checks that every
// message came back, and closes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include <sys/types.h>

#include "tests/bench/crowd.h"

namespace tests::bench {

struct RunSettings {
  Target target;
  std::size_t clients = 100;
  std::uint32_t in_flight = 1;  // messages of one client
  std::size_t message_octets = 128;
  Content content = Content::Binary;
  double warm_up_seconds = 0.5;
  double seconds = 5;
  bool closing_handshake = false;       // run_handshakes only
  double messages_per_second = 20'000;  // run_rate only
  Waiting waiting = Waiting::Sleeps;
  std::vector<pid_t> measured;  // the processes of what is measured
};

struct RunResult {
  std::uint64_t count = 0;  // messages, or handshakes
  double seconds = 0;
  double cpu_seconds = 0;     // of the measured processes
  double latency_p50_ms = 0;  // of paced runs only
  double latency_p99_ms = 0;
  double latency_max_ms = 0;
};

// The error says what was seen first, and how often something was wrong.
using RunOutcome = std::expected<RunResult, std::string>;

// Each client keeps `in_flight` messages under way.
RunOutcome run_echo(const RunSettings& settings);

// Messages are due at a fixed rate, one client after the other; a latency counts from when its
// message was due, so that waiting to be sent is not left out.
RunOutcome run_rate(const RunSettings& settings);

// Each client opens, gets its 101, closes its socket (after a closing handshake, if asked for), and
// begins again.
RunOutcome run_handshakes(const RunSettings& settings);

// Opens all, says on standard output that they are open, and holds them until standard input ends.
// `in_flight` messages are echoed on each first.
RunOutcome run_idle(const RunSettings& settings);

}  // namespace tests::bench
