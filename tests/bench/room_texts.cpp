#include "tests/bench/room_texts.h"

#include <cassert>
#include <utility>

#include <fmt/core.h>

namespace tests::bench {

namespace {

// The room stands behind it.
std::string_view message_begin(RoomProtocol protocol) {
  return protocol == RoomProtocol::SocketIo ? R"(42["message",")" : R"({"type":"message","room":")";
}

std::string before_payload(const Publication& publication, bool received) {
  if (publication.protocol == RoomProtocol::Nchan) {
    return {};
  }
  std::string text{message_begin(publication.protocol)};
  text += publication.room;
  text += publication.numbered ? room_number_text(0) : "";
  if (received && publication.protocol == RoomProtocol::Gatehouse) {
    text += R"(","from":")" + publication.from;
  }
  text += publication.protocol == RoomProtocol::SocketIo ? R"(",")" : R"(","payload":")";
  return text;
}

std::string_view after_payload(const Publication& publication) {
  switch (publication.protocol) {
    case RoomProtocol::Gatehouse:
    case RoomProtocol::Guide:
      return R"("})";
    case RoomProtocol::Nchan:
      return "";
    case RoomProtocol::SocketIo:
      return R"("])";
  }
  std::unreachable();
}

// As long as it may be for what is received, since it is passed as it is.
std::string make_payload(const Publication& publication) {
  assert(publication.octets >= Publication::octets_min);
  assert(publication.room.size() <= Publication::name_octets_max);
  assert(publication.from.size() <= Publication::name_octets_max);
  constexpr std::string_view filling = "what a member has to say, ";
  const std::size_t octets = publication.octets - before_payload(publication, true).size() -
                             after_payload(publication).size();
  std::string payload(MessageLayout::sequence_octets, 'a');
  while (payload.size() < octets) {
    payload += filling;
  }
  payload.resize(octets);
  return payload;
}

MessageLayout make_layout(const Publication& publication, bool received) {
  MessageLayout layout{.octets = before_payload(publication, received)};
  layout.sequence_at = layout.octets.size();
  if (publication.numbered) {
    layout.room_at = message_begin(publication.protocol).size() + publication.room.size();
  }
  layout.octets += make_payload(publication);
  layout.octets += after_payload(publication);
  return layout;
}

std::string event_text(RoomProtocol protocol, std::string_view event, std::string_view room) {
  return protocol == RoomProtocol::SocketIo
             ? fmt::format(R"(42["{}","{}"])", event, room)
             : fmt::format(R"({{"type":"{}","room":"{}"}})", event, room);
}

}  // namespace

MessageLayout sent_layout(const Publication& publication) {
  return make_layout(publication, false);
}

MessageLayout received_layout(const Publication& publication) {
  return make_layout(publication, true);
}

std::string join_text(RoomProtocol protocol, std::string_view room) {
  return event_text(protocol, "join", room);
}

std::string joined_text(RoomProtocol protocol, std::string_view room) {
  return event_text(protocol, "joined", room);
}

}  // namespace tests::bench
