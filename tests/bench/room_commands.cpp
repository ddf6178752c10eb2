#include "tests/bench/room_commands.h"

#include <map>
#include <string>

namespace tests::bench {

RoomCommands::RoomCommands(CLI::App& app, Arguments& arguments) : arguments_(arguments) {
  add_fan_out(app);
  add_paced(app);
  add_publish(app);
  add_members(app);
  add_echo(app);
}

void RoomCommands::add_fan_out(CLI::App& app) {
  fan_out_ = app.add_subcommand("fan-out", "publish to one room of which all are members");
  add_common(*fan_out_, arguments_);
  add_timed(*fan_out_, arguments_);
  add_protocol(*fan_out_);
  add_size(*fan_out_);
  fan_out_->add_option("--in-flight", arguments_.run.in_flight, "publications")
      ->check(CLI::Range(1, 1024));
  fan_out_
      ->add_option("--rate", arguments_.run.messages_per_second,
                   "publications a second, however many are in flight; takes latencies")
      ->check(CLI::Range(0.1, 1e5))
      ->each([this](const std::string&) { paced_ = true; });
}

void RoomCommands::add_paced(CLI::App& app) {
  paced_rooms_command_ = app.add_subcommand(
      "paced-rooms", "publish to many rooms in turn at a fixed rate and take latencies");
  add_common(*paced_rooms_command_, arguments_);
  add_timed(*paced_rooms_command_, arguments_);
  add_size(*paced_rooms_command_);
  paced_rooms_command_->add_option("--rooms", paced_rooms_, "that the connections share")
      ->check(CLI::Range(1, 50'000));
  paced_rooms_command_
      ->add_option("--rate", arguments_.run.messages_per_second, "publications a second, of all")
      ->check(CLI::Range(0.1, 1e5))
      ->required();
}

void RoomCommands::add_publish(CLI::App& app) {
  publish_ = app.add_subcommand("publish", "publish to rooms of which the publisher alone is one");
  add_common(*publish_, arguments_);
  add_timed(*publish_, arguments_);
  add_size(*publish_);
  publish_->add_option("--in-flight", arguments_.run.in_flight, "publications of one connection")
      ->check(CLI::Range(1, 1024));
  publish_->add_option("--rooms", settings_.rooms_each, "of each connection")
      ->check(CLI::Range(1U, Messages::rooms_max));
  publish_->add_option("--published", settings_.published_each, "of these, published to in turn")
      ->check(CLI::Range(1U, Messages::rooms_max));
  publish_->add_option("--bystanders", settings_.bystanders, "connections in another room")
      ->check(CLI::Range(0, 50'000));
}

void RoomCommands::add_members(CLI::App& app) {
  members_ = app.add_subcommand("members", "join one room and hold until standard input ends");
  add_common(*members_, arguments_);
  add_protocol(*members_);
  add_size(*members_);
  members_->add_option("--messages", arguments_.run.in_flight, "published before all are idle")
      ->check(CLI::Range(0, 1024));
  members_->preparse_callback([this](std::size_t) { arguments_.run.in_flight = 0; });
}

void RoomCommands::add_echo(CLI::App& app) {
  echo_ = app.add_subcommand("room-echo", "as echo, with messages of a room");
  add_common(*echo_, arguments_);
  add_timed(*echo_, arguments_);
  add_size(*echo_);
  echo_->add_option("--in-flight", arguments_.run.in_flight)->check(CLI::Range(1, 1024));
  echo_->add_flag("--joins", joins_, "join first");
}

void RoomCommands::add_protocol(CLI::App& command) {
  const std::map<std::string, RoomProtocol> protocols{{"gatehouse", RoomProtocol::Gatehouse},
                                                      {"guide", RoomProtocol::Guide},
                                                      {"nchan", RoomProtocol::Nchan},
                                                      {"socket-io", RoomProtocol::SocketIo}};
  command.add_option("--protocol", settings_.rooms.protocol)
      ->transform(CLI::CheckedTransformer(protocols));
  command.add_option("--publisher-path", settings_.rooms.publisher_path, "with nchan");
}

void RoomCommands::add_size(CLI::App& command) {
  command.add_option("--size", arguments_.run.message_octets, "octets that a member gets")
      ->check(CLI::Range(Publication::octets_min, std::size_t{1} << 16));
}

std::optional<RunOutcome> RoomCommands::run() {
  settings_.rooms.run = arguments_.run;
  if (settings_.published_each > settings_.rooms_each) {
    return std::unexpected("--published is more than --rooms");
  }
  if (fan_out_->parsed()) {
    return paced_ ? run_paced_fan_out(settings_.rooms) : run_fan_out(settings_.rooms);
  }
  if (paced_rooms_command_->parsed()) {
    return run_paced_rooms({settings_.rooms, paced_rooms_});
  }
  if (publish_->parsed()) {
    return run_publish(settings_);
  }
  if (members_->parsed()) {
    return run_idle_members(settings_.rooms);
  }
  if (echo_->parsed()) {
    return run_room_echo(settings_.rooms.run, joins_);
  }
  return std::nullopt;
}

}  // namespace tests::bench
