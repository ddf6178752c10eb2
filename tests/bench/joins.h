// Clients become members of rooms: each sends its joins, some at a time, and each is answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "tests/bench/crowd.h"
#include "tests/bench/room_texts.h"

namespace tests::bench {

// The rooms that a client joins, by number from 0; none: those were all.
using RoomOf = std::function<std::optional<std::string>(const Client&, std::size_t number)>;

enum class JoinAnswers : std::uint8_t {
  Joined,          // `joined`
  JoinedThenEcho,  // and behind it the join itself, from an echo backend
};

// All are open. Ends when all are members.
std::expected<void, std::string> join_all(Crowd& crowd, RoomProtocol protocol,
                                          const RoomOf& room_of, JoinAnswers answers);

}  // namespace tests::bench
