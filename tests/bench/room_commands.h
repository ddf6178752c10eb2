// The commands of the load generator that measure rooms.
#pragma once

#include <optional>

#include <CLI/CLI.hpp>

#include "tests/bench/arguments.h"
#include "tests/bench/paced_rooms.h"
#include "tests/bench/rooms.h"

namespace tests::bench {

class RoomCommands {
 public:
  // Both outlive it.
  RoomCommands(CLI::App& app, Arguments& arguments);
  RoomCommands(const RoomCommands&) = delete;
  RoomCommands& operator=(const RoomCommands&) = delete;

  // With the arguments complete. None: another command was given.
  std::optional<RunOutcome> run();

 private:
  void add_fan_out(CLI::App& app);
  void add_paced(CLI::App& app);
  void add_publish(CLI::App& app);
  void add_members(CLI::App& app);
  void add_echo(CLI::App& app);
  void add_protocol(CLI::App& command);
  void add_size(CLI::App& command);

  Arguments& arguments_;
  PublishSettings settings_;
  std::uint32_t paced_rooms_ = 1;
  bool paced_ = false;
  bool joins_ = false;
  CLI::App* fan_out_ = nullptr;
  CLI::App* paced_rooms_command_ = nullptr;
  CLI::App* publish_ = nullptr;
  CLI::App* members_ = nullptr;
  CLI::App* echo_ = nullptr;
};

}  // namespace tests::bench
