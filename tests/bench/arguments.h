// The arguments that most commands of the load generator take.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tests/bench/runs.h"
#include "tests/bench/sockets.h"

namespace tests::bench {

struct Arguments {
  std::string url;
  std::vector<std::uint16_t> other_ports;
  std::string token_file;
  std::string opcode = "binary";
  unsigned sources = 0;
  bool spins = false;
  RunSettings run;
};

void add_common(CLI::App& command, Arguments& arguments);
void add_timed(CLI::App& command, Arguments& arguments);
void add_messages(CLI::App& command, Arguments& arguments);

// After parsing: the settings that several arguments make. The error is for who gave them.
std::expected<void, std::string> complete(Arguments& arguments);

Waiting waiting_of(bool spins);

}  // namespace tests::bench
