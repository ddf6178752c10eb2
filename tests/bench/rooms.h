// What is measured of rooms: what one says reaches all members, each once and in order, or the run
// fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/bench/room_texts.h"
#include "tests/bench/runs.h"

namespace tests::bench {

struct RoomSettings {
  RunSettings run;  // its `clients` are the members; with nchan, one more is the publisher
  RoomProtocol protocol = RoomProtocol::Gatehouse;
  std::string publisher_path;           // nchan only
  std::string subject_prefix = "user";  // token i is of the subject that is this and i
};

// Of its token.
std::string subject_of(const RoomSettings& settings, std::size_t client);

// One room, one publisher. What is counted are deliveries.
// `in_flight` publications are under way: one has reached all members, the next is sent.
RunOutcome run_fan_out(const RoomSettings& settings);

// `messages_per_second` publications; a delivery's latency counts from when its publication was
// due.
RunOutcome run_paced_fan_out(const RoomSettings& settings);

struct PublishSettings {
  RoomSettings rooms;                // its clients publish, each to rooms of its own
  std::uint32_t rooms_each = 1;      // that a client is the only member of
  std::uint32_t published_each = 1;  // of these, so many are published to, in turn
  std::size_t bystanders = 0;        // others, members of another room
};

// A publication has one member to reach, its publisher; so what it costs is not the deliveries.
// What is counted are publications.
RunOutcome run_publish(const PublishSettings& settings);

// Opens and joins all; `in_flight` publications reach them; then as run_idle().
RunOutcome run_idle_members(const RoomSettings& settings);

// As run_echo() with messages of a room through an echo backend. `joins`: each client joins first,
// and the backend echoes that, too; else nothing on the way looks into them.
RunOutcome run_room_echo(const RunSettings& settings, bool joins);

}  // namespace tests::bench
