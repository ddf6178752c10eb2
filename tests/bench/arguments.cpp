#include "tests/bench/arguments.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <fstream>
#include <string_view>

#include <fmt/core.h>

namespace tests::bench {

namespace {

constexpr std::size_t tokens_max = 100'000;

std::expected<void, std::string> read_url(const Arguments& arguments, Target& target) {
  constexpr std::string_view schemes[] = {"ws://", "wss://"};
  std::string_view rest = arguments.url;
  const auto* scheme = std::ranges::find_if(
      schemes, [rest](std::string_view each) { return rest.starts_with(each); });
  if (scheme == std::end(schemes)) {
    return std::unexpected("--url must be ws://ADDRESS:PORT/path or wss://ADDRESS:PORT/path");
  }
  target.tls = *scheme == "wss://";
  rest.remove_prefix(scheme->size());
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
  std::vector<std::uint16_t> ports{port};
  ports.insert(ports.end(), arguments.other_ports.begin(), arguments.other_ports.end());
  for (const std::uint16_t one : ports) {
    const auto address = parse_address(target.authority.substr(0, colon), one);
    if (!address) {
      return std::unexpected(address.error());
    }
    target.addresses.push_back(*address);
  }
  return {};
}

}  // namespace

void add_common(CLI::App& command, Arguments& arguments) {
  command.add_option("--url", arguments.url, "ws:// or wss://ADDRESS:PORT/path")->required();
  command
      .add_option("--other-ports", arguments.other_ports,
                  "of other instances: connections go to that of --url and to these in turn")
      ->delimiter(',');
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
    const auto source = parse_address(fmt::format("127.0.0.{}", i), 0);
    run.target.sources.push_back(*source);
  }
  run.waiting = waiting_of(arguments.spins);
  run.content = arguments.opcode == "binary" ? Content::Binary
                : arguments.opcode == "text" ? Content::Text
                                             : Content::Mixed;
  return {};
}

Waiting waiting_of(bool spins) { return spins ? Waiting::Spins : Waiting::Sleeps; }

}  // namespace tests::bench
