// The arguments of the load generator and of its echo backend. Results are one line of JSON on
// standard output; anything wrong with a connection or a message is exit code 1.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tests/bench/echo_backend.h"
#include "tests/bench/runs.h"

namespace {

using tests::bench::Content;
using tests::bench::RunOutcome;
using tests::bench::RunSettings;

constexpr std::size_t tokens_max = 100'000;

struct Arguments {
  std::string url;
  std::string token_file;
  std::string opcode = "binary";
  unsigned sources = 0;
  bool spins = false;
  RunSettings run;
};

struct BackendArguments {
  bool spins = false;
  std::uint16_t port = 0;
  std::vector<std::string> addresses{"127.0.0.1"};
};

tests::bench::Waiting waiting_of(bool spins) {
  return spins ? tests::bench::Waiting::Spins : tests::bench::Waiting::Sleeps;
}

std::expected<void, std::string> read_url(const Arguments& arguments,
                                          tests::bench::Target& target) {
  constexpr std::string_view scheme = "ws://";
  std::string_view rest = arguments.url;
  if (!rest.starts_with(scheme)) {
    return std::unexpected("--url must be ws://ADDRESS:PORT/path");
  }
  rest.remove_prefix(scheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  target.authority = rest.substr(0, slash);
  target.path = slash < rest.size() ? rest.substr(slash) : "/";
  const std::size_t colon = target.authority.find(':');
  std::uint16_t port = 80;
  if (colon != std::string::npos) {
    const char* end = target.authority.data() + target.authority.size();
    const auto parsed = std::from_chars(target.authority.data() + colon + 1, end, port);
    if (parsed.ec != std::errc{} || parsed.ptr != end) {
      return std::unexpected("--url has a wrong port");
    }
  }
  const auto address = tests::bench::parse_address(target.authority.substr(0, colon), port);
  if (!address) {
    return std::unexpected(address.error());
  }
  target.address = *address;
  return {};
}

std::expected<void, std::string> complete(Arguments& arguments) {
  RunSettings& run = arguments.run;
  if (const auto url = read_url(arguments, run.target); !url) {
    return url;
  }
  if (!arguments.token_file.empty()) {
    std::ifstream file{arguments.token_file};
    for (std::string line; std::getline(file, line) && run.target.tokens.size() < tokens_max;) {
      run.target.tokens.push_back(line);
    }
    if (run.target.tokens.empty()) {
      return std::unexpected("--token-file has no token");
    }
  }
  for (unsigned i = 1; i <= arguments.sources; ++i) {
    const auto source = tests::bench::parse_address(fmt::format("127.0.0.{}", i), 0);
    run.target.sources.push_back(*source);
  }
  run.waiting = waiting_of(arguments.spins);
  run.content = arguments.opcode == "binary" ? Content::Binary
                : arguments.opcode == "text" ? Content::Text
                                             : Content::Mixed;
  return {};
}

int report(const RunOutcome& outcome) {
  if (!outcome) {
    fmt::print(stderr, "load: {}\n", outcome.error());
    return 1;
  }
  fmt::print(
      "{{\"count\": {}, \"seconds\": {:.6f}, \"cpu_seconds\": {:.6f}, \"p50_ms\": {:.4f}, "
      "\"p99_ms\": {:.4f}}}\n",
      outcome->count, outcome->seconds, outcome->cpu_seconds, outcome->latency_p50_ms,
      outcome->latency_p99_ms);
  return 0;
}

void add_common(CLI::App& command, Arguments& arguments) {
  command.add_option("--url", arguments.url, "ws://ADDRESS:PORT/path")->required();
  command.add_option("--token-file", arguments.token_file, "one token a line, used in turn");
  command.add_flag("--token-in-query", arguments.run.target.tokens_in_query,
                   "?token= instead of an Authorization field");
  command.add_option("--connections", arguments.run.clients)->check(CLI::Range(1, 50'000));
  command.add_option("--sources", arguments.sources, "connect from 127.0.0.1 to .N in turn")
      ->check(CLI::Range(1, 254));
  command.add_flag("--spin", arguments.spins, "never sleep");
  command
      .add_option("--measure", arguments.run.measured, "processes whose processor time is counted")
      ->delimiter(',');
}

void add_timed(CLI::App& command, Arguments& arguments) {
  command.add_option("--seconds", arguments.run.seconds)->check(CLI::Range(0.1, 3600.0));
  command.add_option("--warm-up", arguments.run.warm_up_seconds)->check(CLI::Range(0.0, 60.0));
}

void add_messages(CLI::App& command, Arguments& arguments) {
  command.add_option("--size", arguments.run.message_octets, "octets of a message")
      ->check(CLI::Range(8, 1 << 20));
  command.add_option("--opcode", arguments.opcode, "mixed: text that is not only ASCII")
      ->check(CLI::IsMember({"binary", "text", "mixed"}));
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
  CLI11_PARSE(app, argc, argv);

  raise_descriptor_limit();
  // Else a wait of some microseconds takes 50 more.
  (void)prctl(PR_SET_TIMERSLACK, 1UL);

  if (serve->parsed()) {
    std::vector<sockaddr_in> addresses;
    for (const std::string& host : backend.addresses) {
      const auto address = tests::bench::parse_address(host, backend.port);
      if (!address) {
        fmt::print(stderr, "load: {}\n", address.error());
        return 2;
      }
      addresses.push_back(*address);
    }
    fmt::print(stderr, "load: {}\n",
               tests::bench::serve_echoes(addresses, waiting_of(backend.spins)));
    return 1;
  }
  if (const auto completed = complete(arguments); !completed) {
    fmt::print(stderr, "load: {}\n", completed.error());
    return 2;
  }
  return report(echo->parsed()   ? tests::bench::run_echo(arguments.run)
                : rate->parsed() ? tests::bench::run_rate(arguments.run)
                : idle->parsed() ? tests::bench::run_idle(arguments.run)
                                 : tests::bench::run_handshakes(arguments.run));
}
