#include "tests/bench/room_texts.h"

#include <cassert>

#include <fmt/core.h>

namespace tests::bench {

namespace {

constexpr std::string_view message_begin = R"({"type":"message","room":")";
constexpr std::string_view message_end = R"("})";

std::string before_payload(const Publication& publication, bool received) {
  if (publication.protocol == RoomProtocol::Nchan) {
    return {};
  }
  std::string text{message_begin};
  text += publication.room;
  text += publication.numbered ? room_number_text(0) : "";
  if (received && publication.protocol == RoomProtocol::Gatehouse) {
    text += R"(","from":")" + publication.from;
  }
  text += R"(","payload":")";
  return text;
}

std::string_view after_payload(const Publication& publication) {
  return publication.protocol == RoomProtocol::Nchan ? "" : message_end;
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
    layout.room_at = message_begin.size() + publication.room.size();
  }
  layout.octets += make_payload(publication);
  layout.octets += after_payload(publication);
  return layout;
}

}  // namespace

MessageLayout sent_layout(const Publication& publication) {
  return make_layout(publication, false);
}

MessageLayout received_layout(const Publication& publication) {
  return make_layout(publication, true);
}

std::string join_text(std::string_view room) {
  return fmt::format(R"({{"type":"join","room":"{}"}})", room);
}

std::string joined_text(std::string_view room) {
  return fmt::format(R"({{"type":"joined","room":"{}"}})", room);
}

}  // namespace tests::bench
