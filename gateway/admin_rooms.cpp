#include "gateway/admin_rooms.h"

#include <algorithm>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "auth/room_name.h"
#include "gateway/admin_list.h"
#include "gateway/answers.h"
#include "gateway/connection_walk.h"
#include "gateway/envelope.h"
#include "gateway/room_key.h"
#include "proxy/frame_writer.h"

namespace gateway {
namespace {

constexpr std::string_view bad_space = "space: expected [a-z0-9-], at most 64 octets";

// --- which rooms there are ---

// Rooms of one worker, or of one space of it, in the order of their keys, with their members.
struct RoomWalk {
  Page<std::size_t> page;
  std::string key_prefix;  // of the space; empty: of all
  std::size_t place = 0;   // the next one

  bool step(const Surveyed& surveyed) {
    const auto end = std::min(place + survey_slice, surveyed.rooms.places());
    for (; place < end; ++place) {
      const auto room = surveyed.rooms.at(place);
      if (!room || room->members == 0 || !room->key.starts_with(key_prefix)) continue;
      if (auto* members = page.row_of(room->key)) *members = room->members;
    }
    return place < surveyed.rooms.places();
  }
};

// A room has members on several workers.
void merge(RoomWalk& into, const RoomWalk& from) {
  for (const auto& [key, members] : from.page.kept()) {
    if (auto* row = into.page.row_of(key)) *row += members;
  }
}

void append_room_names(std::string& json, std::string_view room, std::string_view space) {
  json += R"({"room":)";
  append_json_string(json, room);
  json += R"(,"space":)";
  append_json_string(json, space);
}

void append_room(std::string& json, std::string_view key, std::size_t members) {
  append_room_names(json, room_in(key), space_in(key));
  json += fmt::format(R"(,"members":{}}})", members);
}

void list_rooms(Census& census, const AdminCall& call, AdminReply reply) {
  if (!call.query.only({"space", "after", "limit"})) {
    return reply(admin_error(400, "expected no parameter but space, after and limit"));
  }
  const auto part = read_list_part(call.query);
  if (!part) return reply(admin_error(400, bad_list_part));
  RoomWalk walk{{part->after, part->limit}, {}};
  if (const auto* space = call.query.find("space")) {
    if (!valid_room_space(*space)) return reply(admin_error(400, bad_space));
    walk.key_prefix = room_key(*space, {});
  }
  census.ask<RoomWalk>(walk, [reply = std::move(reply)](auto walks) mutable {
    if (walks.empty()) return reply(admin_error(503, census_failed));
    auto& all = merged(walks);
    std::string json = "{";
    append_list(json, "rooms", all.page, append_room);
    reply({200, json += '}'});
  });
}

// --- one room ---

struct NamedRoom {
  std::string name;
  std::string space;
  std::string key() const { return room_key(space, name); }
};

// `{room}` and `?space=`; the error is the answer.
std::expected<NamedRoom, AdminAnswer> read_room(const AdminCall& call) {
  NamedRoom room{call.captured[0], {}};
  if (const auto* space = call.query.find("space")) room.space = *space;
  if (!auth::valid_room_name(room.name)) {
    return std::unexpected(
        admin_error(400, "a room is 1 to 256 octets of UTF-8 without control characters"));
  }
  if (!valid_room_space(room.space)) return std::unexpected(admin_error(400, bad_space));
  return room;
}

void append_member(std::string& json, std::string_view id, const ConnectionRow& row) {
  json += fmt::format(R"({{"id":"{}","subject":)", id);
  append_json_string(json, row.subject);
  json += '}';
}

void list_members(Census& census, const AdminCall& call, AdminReply reply) {
  if (!call.query.only({"space", "after", "limit"})) {
    return reply(admin_error(400, "expected no parameter but space, after and limit"));
  }
  const auto part = read_list_part(call.query);
  if (!part) return reply(admin_error(400, bad_list_part));
  auto room = read_room(call);
  if (!room) return reply(std::move(room.error()));
  const ConnectionWalk walk{{part->after, part->limit}, {}, room->key()};
  census.ask<ConnectionWalk>(
      walk, [room = std::move(*room), reply = std::move(reply)](auto walks) mutable {
        if (walks.empty()) return reply(admin_error(503, census_failed));
        auto& all = merged(walks);
        if (*all.members == 0) return reply(admin_error(404, "it has no members on this instance"));
        std::string json;
        append_room_names(json, room.name, room.space);
        json += fmt::format(R"(,"count":{},)", *all.members);
        append_list(json, "members", all.page, append_member);
        reply({200, json += '}'});
      });
}

// --- a message to it ---

AdminAnswer published_answer(Exchange::Reached reached) {
  switch (reached) {
    case Exchange::Reached::Everyone:
      return {202, R"({"everywhere":true})"};
    case Exchange::Reached::ThisInstance:
      return {202, R"({"everywhere":false})"};
    case Exchange::Reached::Nobody:
      return admin_error(503, "unavailable");
  }
  std::unreachable();
}

class Publishing {
 public:
  Publishing(Audit& audit, PublishToRoom publish) : audit_(audit), publish_(std::move(publish)) {}

  void publish(AdminCall call, AdminReply reply) {
    if (!call.query.only({"space"})) {
      return reply(admin_error(400, "expected no parameter but space"));
    }
    auto room = read_room(call);
    if (!room) return reply(std::move(room.error()));
    call.body.reserve(call.body.size() + EnvelopeReader::padding_octets);
    const auto payload = reader_.read_payload(call.body);
    if (!payload)
      return reply(admin_error(400, R"(expected {"payload":…}, and in it no name twice)"));
    const auto text = room_message(room->name, {}, *payload);
    if (text.size() > bus_text_octets_max) {
      return reply(admin_error(413, "a message has at most 1 MiB"));
    }
    auto frame = proxy::share(proxy::write_frame(proxy::Role::Server, proxy::Opcode::Text, text));
    auto key = room->key();
    publish_(std::move(key), std::move(frame),
             [this, peer = call.peer, room = std::move(*room),
              reply = std::move(reply)](Exchange::Reached reached) mutable {
               auto answer = published_answer(reached);
               audit_.admin_call({.address = peer,
                                  .action = "publish",
                                  .room = room.name,
                                  .space = room.space,
                                  .status = answer.status});
               reply(std::move(answer));
             });
  }

 private:
  Audit& audit_;
  PublishToRoom publish_;
  EnvelopeReader reader_;
};

}  // namespace

void add_room_rows(AdminApi& api, Census& census, Audit& audit, PublishToRoom publish) {
  api.add({"GET", "/v1/rooms", [&census](const AdminCall& call, AdminReply reply) {
             list_rooms(census, call, std::move(reply));
           }});
  api.add({"GET", "/v1/rooms/{room}", [&census](const AdminCall& call, AdminReply reply) {
             list_members(census, call, std::move(reply));
           }});
  api.add({"POST", "/v1/rooms/{room}/messages",
           [publishing = std::make_shared<Publishing>(audit, std::move(publish))](
               AdminCall call, AdminReply reply) {
             publishing->publish(std::move(call), std::move(reply));
           }});
}

}  // namespace gateway
