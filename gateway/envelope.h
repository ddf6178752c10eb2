// What a text message says about rooms (CONTRACT section 4). Reading it is a trust decision
// (SECURITY: two JSON parsers read one message differently), so it is read once, as a whole, and
// what is not read in exactly one way is not accepted. Who may do it is decided elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>

#include "gateway/json_dialect.h"

namespace gateway {

// Views into the text or into the reader that read it, until its next read.
struct Envelope {
  enum class Type : std::uint8_t { Join, Leave, Message, Refresh, Other };
  Type type;
  std::string_view room = {};  // decoded, a valid room name; of Join, Leave and Message
  std::string_view id = {};    // raw JSON text; empty: none, or (Other) none that is ours to echo
  std::string_view payload = {};  // raw JSON text, octet for octet; empty: none
  std::string_view token = {};    // of Refresh, decoded; empty: none, or it is no string
};

enum class EnvelopeError : std::uint8_t {
  NotAnObject,    // nor is anything with a number out of 64 bits' or a double's range
  TooDeep,        // over EnvelopeReader::depth_max
  DuplicateName,  // at the top level, compared decoded
  NoType,         // or one that is no string
  UnknownType,
  ReservedType,     // one that only the gateway or a backend sends
  BadRoom,          // missing, no string, or no valid room name
  BadId,            // neither an integer nor a string of at most EnvelopeReader::id_octets_max
  HasFrom,          // on a route with a backend, which would believe it
  NameInOtherCase,  // on a route with a backend: `Room` beside `room`, `From`
};

struct EnvelopeFault {
  EnvelopeError error;
  std::string_view id;  // raw, as Envelope::id, where it was read and is well-formed
};

// One per worker, for all its connections: the parser's buffers grow with the longest text and are
// given back when a shorter one follows one over kept_octets_max; otherwise nothing is allocated.
// Each `text` must have padding_octets readable octets behind it, whatever they hold; no octet of
// it need be valid.
class EnvelopeReader {
 public:
  static constexpr std::size_t padding_octets = 64;
  static constexpr std::size_t depth_max = 64;  // the outermost object is 1
  static constexpr std::size_t id_octets_max = 64;
  // Of the text. Parsing takes up to 14 times as much.
  static constexpr std::size_t kept_octets_max = 1024 * 1024;

  EnvelopeReader();
  ~EnvelopeReader();
  EnvelopeReader(const EnvelopeReader&) = delete;
  EnvelopeReader& operator=(const EnvelopeReader&) = delete;

  struct Rules {
    bool other_passes;
    bool has_backend;
  };
  // From a client, `messages: rooms`.
  std::expected<Envelope, EnvelopeFault> read(std::string_view text, Rules rules);

  // From a client that has not said who it is (CONTRACT section 4, `auth`): its token, decoded.
  // None: it says something else, or nothing that is read in exactly one way.
  std::optional<std::string_view> read_auth(std::string_view text);

  // From a backend, `messages: rooms`.
  struct FromBackend {
    enum class Kind : std::uint8_t {
      Free,       // not JSON, no object, or no string `room`: of no room
      OfRoom,     // for a member of `room`
      Broadcast,  // OfRoom, and its type is `broadcast`; it is that where the route allows it
      Dropped,    // cannot be read in exactly one way, or `room` is no valid room name
    };
    Kind kind;
    std::string_view type;     // decoded; empty where there is none, or it is no string
    std::string_view room;     // decoded, valid; empty but for OfRoom and Broadcast
    std::string_view payload;  // raw JSON text, octet for octet; empty: none
  };
  FromBackend read_from_backend(std::string_view text);

  // From another instance, or whoever speaks on the bus (CONTRACT section 7): the room of a
  // `message`, decoded and valid. None: it is nothing that members may get.
  std::optional<std::string_view> read_from_bus(std::string_view text);

  // From whoever speaks by the admin API (CONTRACT section 6): the raw text of `payload`. None: it
  // is not one object that has one, with no name in it twice.
  std::optional<std::string_view> read_payload(std::string_view text);

  // From a client, `messages: { json: … }`. On the way of a pointer, a name that differs from the
  // one looked for in case alone is that name a second time: Go's parser, and .NET's for the web,
  // take the one for the other.
  struct Action {
    enum class Kind : std::uint8_t {
      Join,
      Leave,
      Publish,
      Other,       // no object, no action that is a string, or one that is in no list
      BadRoom,     // the action is in a list, and what is at the room's pointer is no valid room
      Unreadable,  // begins as an object does, but a backend may read another one than we: never
                   // passes, also where Other does
    };
    Kind kind;
    std::string_view room;  // decoded, valid; of Join, Leave and Publish
  };
  Action read_action(std::string_view text, const JsonDialect& dialect);

  // From a backend, `messages: { json: … }`: the room, decoded and valid; none: it is of no room.
  // `dropped`: it cannot be read in exactly one way, or its room is no valid room name.
  std::optional<std::string_view> read_room(std::string_view text, const JsonDialect& dialect,
                                            bool& dropped);

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace gateway
