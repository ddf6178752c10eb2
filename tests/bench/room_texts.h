// What the members of a room say and hear, with each of the room servers that are measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/bench/messages.h"

namespace tests::bench {

enum class RoomProtocol : std::uint8_t {
  Gatehouse,  // join, message; members get a message with `from`
  Guide,      // the same without `from`
  Nchan,      // a path is a room; what its publisher sends is what members get
  SocketIo,   // Socket.IO 5 over Engine.IO 4: the same events, each as an array with its name
};

// A publication of which members get `octets`, whatever its protocol adds on the way.
struct Publication {
  static constexpr std::size_t octets_min = 128;
  static constexpr std::size_t name_octets_max = 16;  // of `room` and `from`

  RoomProtocol protocol = RoomProtocol::Gatehouse;
  std::string room = {};
  bool numbered = false;  // the room's name goes on with a number (Messages)
  std::string from = {};  // the publisher's subject
  std::size_t octets = octets_min;
};

MessageLayout sent_layout(const Publication& publication);
MessageLayout received_layout(const Publication& publication);

std::string join_text(RoomProtocol protocol, std::string_view room);
std::string joined_text(RoomProtocol protocol, std::string_view room);

// With Socket.IO: how the server begins, how a client does, and how that is answered.
inline constexpr std::string_view engine_open = "0{";
inline constexpr std::string_view socket_connect = "40";
inline constexpr std::string_view socket_connected = "40{";

// How nchan's answer to a publisher begins.
inline constexpr std::string_view nchan_published = "queued messages: ";

}  // namespace tests::bench
