// The arguments of the load generator and of its echo backend. Results are one line of JSON on
// standard output; anything wrong with a connection or a message is exit code 1.
#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tests/bench/arguments.h"
#include "tests/bench/echo_backend.h"
#include "tests/bench/room_commands.h"
#include "tests/bench/runs.h"

namespace {

using tests::bench::Arguments;
using tests::bench::RunOutcome;

struct BackendArguments {
  bool spins = false;
  std::uint16_t port = 0;
  std::vector<std::string> addresses{"127.0.0.1"};
};

int report(const RunOutcome& outcome) {
  if (!outcome) {
    fmt::print(stderr, "load: {}\n", outcome.error());
    return 1;
  }
  fmt::print(
      "{{\"count\": {}, \"seconds\": {:.6f}, \"cpu_seconds\": {:.6f}, \"p50_ms\": {:.4f}, "
      "\"p99_ms\": {:.4f}, \"max_ms\": {:.4f}}}\n",
      outcome->count, outcome->seconds, outcome->cpu_seconds, outcome->latency_p50_ms,
      outcome->latency_p99_ms, outcome->latency_max_ms);
  return 0;
}

int serve_backend(const BackendArguments& arguments) {
  std::vector<sockaddr_in> addresses;
  for (const std::string& host : arguments.addresses) {
    const auto address = tests::bench::parse_address(host, arguments.port);
    if (!address) {
      fmt::print(stderr, "load: {}\n", address.error());
      return 2;
    }
    addresses.push_back(*address);
  }
  fmt::print(stderr, "load: {}\n",
             tests::bench::serve_echoes(addresses, tests::bench::waiting_of(arguments.spins)));
  return 1;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"WebSocket load generator and echo backend"};
  app.require_subcommand(1);
  Arguments arguments;
  BackendArguments backend;

  CLI::App* echo = app.add_subcommand("echo", "keep messages under way on every connection");
  CLI::App* rate = app.add_subcommand("rate", "send at a fixed rate and take latencies");
  CLI::App* handshakes = app.add_subcommand("handshakes", "open, 101, close, again and again");
  CLI::App* idle = app.add_subcommand("idle", "open and hold until standard input ends");
  CLI::App* serve = app.add_subcommand("backend", "echo until ended");
  for (CLI::App* command : {echo, rate, handshakes, idle}) {
    add_common(*command, arguments);
  }
  for (CLI::App* command : {echo, rate, handshakes}) {
    add_timed(*command, arguments);
  }
  for (CLI::App* command : {echo, rate, idle}) {
    add_messages(*command, arguments);
  }
  echo->add_option("--in-flight", arguments.run.in_flight)->check(CLI::Range(1, 1024));
  rate->add_option("--rate", arguments.run.messages_per_second, "messages a second, of all")
      ->check(CLI::Range(1.0, 1e6));
  handshakes->add_flag("--closing-handshake", arguments.run.closing_handshake,
                       "with a Close frame and its answer");
  idle->add_option("--messages", arguments.run.in_flight, "echoed on each before it is idle")
      ->check(CLI::Range(0, 1024));
  serve->add_option("--port", backend.port)->required();
  serve->add_flag("--spin", backend.spins, "never sleep");
  serve->add_option("--addresses", backend.addresses, "loopback addresses")->delimiter(',');
  idle->preparse_callback([&](std::size_t) { arguments.run.in_flight = 0; });
  tests::bench::RoomCommands rooms{app, arguments};
  CLI11_PARSE(app, argc, argv);

  raise_descriptor_limit();
  // Else a wait of some microseconds takes 50 more.
  (void)prctl(PR_SET_TIMERSLACK, 1UL);

  if (serve->parsed()) {
    return serve_backend(backend);
  }
  if (const auto completed = tests::bench::complete(arguments); !completed) {
    fmt::print(stderr, "load: {}\n", completed.error());
    return 2;
  }
  if (const auto outcome = rooms.run()) {
    return report(*outcome);
  }
  return report(echo->parsed()   ? tests::bench::run_echo(arguments.run)
                : rate->parsed() ? tests::bench::run_rate(arguments.run)
                : idle->parsed() ? tests::bench::run_idle(arguments.run)
                                 : tests::bench::run_handshakes(arguments.run));
}
