#include "tests/bench/stages.h"

#include <algorithm>
#include <cstdio>
#include <functional>

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include "tests/bench/cpu.h"
#include "tests/bench/sockets.h"

namespace tests::bench {

namespace {

bool standard_input_ended() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) > 0;
}

bool has_all(const Client& client) {
  return client.echoed == client.sent && client.owed == 0 && client.awaited.empty();
}

}  // namespace

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

std::unexpected<std::string> faults_of(const Crowd& crowd) {
  return std::unexpected(
      fmt::format("{} faults; the first: {}", crowd.fault_count(), crowd.first_fault()));
}

void turn_until(Crowd& crowd, std::int64_t end_ns) {
  for (std::int64_t now = now_ns(); now < end_ns && crowd.fault_count() == 0; now = now_ns()) {
    crowd.turn(end_ns - now);
  }
}

std::expected<void, std::string> await_echoes(Crowd& crowd, std::int64_t deadline_ns) {
  while (crowd.fault_count() == 0) {
    const auto waiting = std::ranges::find_if_not(crowd.clients(), has_all);
    if (waiting == crowd.clients().end()) {
      return {};
    }
    if (now_ns() >= deadline_ns) {
      return std::unexpected(fmt::format(
          "{} clients wait for messages; the first is client {} after {} of {}, {} answers awaited",
          std::ranges::count_if(crowd.clients(), std::not_fn(has_all)), waiting->index,
          waiting->echoed, waiting->sent, waiting->awaited.size()));
    }
    crowd.turn(ns_per_second / 100);
  }
  return faults_of(crowd);
}

RunResult measure(Crowd& crowd, const RunSettings& settings,
                  const std::function<std::uint64_t()>& count) {
  turn_until(crowd, now_ns() + to_ns(settings.warm_up_seconds));
  const Window window{settings, count()};
  turn_until(crowd, now_ns() + to_ns(settings.seconds));
  return window.end(count());
}

void say_established(const Crowd& crowd) {
  fmt::print("{{\"established\": {}}}\n", crowd.open_count());
  std::fflush(stdout);
}

void hold_until_input_ends(Crowd& crowd) {
  say_established(crowd);
  while (!standard_input_ended() && crowd.fault_count() == 0) {
    crowd.turn(ns_per_second / 10);
  }
}

void take_latencies(Latencies& latencies, RunResult& result) {
  result.latency_p50_ms = latencies.quantile_ms(0.5);
  result.latency_p99_ms = latencies.quantile_ms(0.99);
  result.latency_max_ms = latencies.quantile_ms(1);
}

RunOutcome finish(Crowd& crowd, const RunResult& result) {
  if (const auto echoed = await_echoes(crowd, now_ns() + echo_ns_max); !echoed) {
    return std::unexpected(echoed.error());
  }
  if (!crowd.close_all(now_ns() + close_ns_max)) {
    return faults_of(crowd);
  }
  return result;
}

Window::Window(const RunSettings& settings, std::uint64_t count)
    : measured_(settings.measured),
      began_count_(count),
      began_cpu_seconds_(cpu_seconds_of(measured_)),
      began_ns_(now_ns()) {}

RunResult Window::end(std::uint64_t count) const {
  RunResult result;
  result.seconds = static_cast<double>(now_ns() - began_ns_) / 1e9;
  result.cpu_seconds = cpu_seconds_of(measured_) - began_cpu_seconds_;
  result.count = count - began_count_;
  return result;
}

}  // namespace tests::bench
