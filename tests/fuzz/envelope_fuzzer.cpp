// A text message, read by us and by jansson. What we accept jansson must read as the same, its
// payload and id from the very octets that we would pass on; and what we let pass unread must be
// nothing in which jansson finds a room.
//
// jansson knows integers of 64 bits with a sign; where it shall read as much as anybody, it takes
// them as reals. A NUL that is not escaped, which no JSON has, it skips behind a number: it is not
// asked. A name with an escaped one it never reads: such texts are left out.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <jansson.h>

#include "auth/json.h"
#include "auth/json_pointer.h"
#include "auth/room_name.h"
#include "gateway/answers.h"
#include "gateway/envelope.h"
#include "tests/gateway/padded.h"

namespace {

using namespace gateway;

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

constexpr std::size_t as_much_as_anybody = JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;

auth::OwnedJson load(std::string_view text, std::size_t flags, json_error_t& error) {
  error = {};
  if (text.find('\0') != text.npos) return nullptr;
  return auth::OwnedJson(json_loadb(text.data(), text.size(), flags, &error));
}

auth::OwnedJson load(std::string_view text, std::size_t flags = as_much_as_anybody) {
  json_error_t error;
  return load(text, flags, error);
}

const json_t* member(const auth::OwnedJson& object, const char* name) {
  return json_object_get(object.get(), name);
}

std::size_t depth_of(const json_t* value) {
  std::size_t inside = 0;
  if (json_is_object(value)) {
    const char* name;
    json_t* element;
    json_object_foreach(const_cast<json_t*>(value), name, element) {
      inside = std::max(inside, depth_of(element));
    }
  } else if (json_is_array(value)) {
    for (std::size_t at = 0; at < json_array_size(value); ++at) {
      inside = std::max(inside, depth_of(json_array_get(value, at)));
    }
  } else {
    return 0;
  }
  return inside + 1;
}

// Is the octet at `position` inside of the outermost object and of nothing in it?
bool outermost(std::string_view text, std::size_t position) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < std::min(position, text.size()); ++at) {
    const char c = text[at];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      if (c == '\\') ++at;
    } else {
      depth += c == '{' || c == '[';
      depth -= c == '}' || c == ']';
    }
  }
  return depth == 1;
}

// Of what jansson says of a text at all: is a name of the outermost object in it twice? Within a
// value it stops at the first such name too, and says nothing of those behind it.
bool outermost_name_twice(std::string_view text) {
  json_error_t error;
  const auto read = load(text, as_much_as_anybody | JSON_REJECT_DUPLICATES, error);
  return !read && json_error_code(&error) == json_error_duplicate_key &&
         outermost(text, static_cast<std::size_t>(error.position));
}

void same_value(std::string_view raw, const json_t* value, const char* what) {
  const auto read = load(raw, as_much_as_anybody | JSON_DECODE_ANY);
  demand(raw.empty() ? value == nullptr : read && json_equal(read.get(), value), what);
}

void check_answers(const Envelope& envelope) {
  const std::string said = room_message(envelope.room, "a\"\\\n", envelope.payload);
  const auto read = load(said);
  demand(read && auth::string_of(member(read, "room")) == envelope.room, "the room said");
  demand(auth::string_of(member(read, "from")) == "a\"\\\n", "the sender said");
  same_value(envelope.payload, member(read, "payload"), "the payload said");
  demand(said.ends_with(std::string(envelope.payload) + "}"), "the payload's octets");
  const auto joined = load(joined_answer(envelope.room, envelope.id));
  demand(joined != nullptr, "an answer is JSON");
  same_value(envelope.id, member(joined, "id"), "the id said");
}

void check_accepted(std::string_view text, const auth::OwnedJson& json, const Envelope& envelope) {
  demand(json && json_is_object(json.get()), "accepted: an object");
  demand(depth_of(json.get()) <= EnvelopeReader::depth_max, "accepted: not too deep");
  demand(!outermost_name_twice(text), "accepted: no name twice");
  const auto type = auth::string_of(member(json, "type"));
  // Of a refresh it goes nowhere.
  if (envelope.type != Envelope::Type::Refresh) {
    same_value(envelope.payload, member(json, "payload"), "the payload");
  }
  if (envelope.type == Envelope::Type::Other) {
    demand(type != "join" && type != "leave" && type != "message" && type != "broadcast",
           "another type");
    return;
  }
  if (envelope.type == Envelope::Type::Refresh) {
    demand(type == "refresh", "the type");
    demand(auth::string_of(member(json, "token")) == envelope.token, "the token");
    same_value(envelope.id, member(json, "id"), "the id");
    return;
  }
  demand(type == (envelope.type == Envelope::Type::Join    ? "join"
                  : envelope.type == Envelope::Type::Leave ? "leave"
                                                           : "message"),
         "the type");
  demand(auth::string_of(member(json, "room")) == envelope.room, "the room");
  demand(auth::valid_room_name(envelope.room), "a valid room");
  same_value(envelope.id, member(json, "id"), "the id");
  check_answers(envelope);
}

void check_refused(std::string_view text, const auth::OwnedJson& json, EnvelopeError error) {
  if (error == EnvelopeError::NotAnObject) {
    const auto strict = load(text, JSON_ALLOW_NUL);
    demand(!strict || !json_is_object(strict.get()), "refused: no object");
  } else if (error == EnvelopeError::TooDeep) {
    demand(!json || depth_of(json.get()) > EnvelopeReader::depth_max, "refused: too deep");
  } else if (error == EnvelopeError::DuplicateName) {
    demand(!load(text, as_much_as_anybody | JSON_REJECT_DUPLICATES), "refused: a name twice");
  }
}

void check_client(EnvelopeReader& reader, std::string_view text, const auth::OwnedJson& json) {
  for (const EnvelopeReader::Rules rules :
       {EnvelopeReader::Rules{false, true}, {true, true}, {true, false}}) {
    const auto read = reader.read(text, rules);
    if (!read) {
      check_refused(text, json, read.error().error);
      continue;
    }
    demand(!rules.has_backend || !member(json, "from"), "accepted: no `from`");
    check_accepted(text, json, *read);
  }
}

void check_backend(EnvelopeReader& reader, std::string_view text, std::string_view unmarked,
                   const auth::OwnedJson& json) {
  using Kind = EnvelopeReader::FromBackend::Kind;
  const auto read = reader.read_from_backend(text);
  const json_t* room = json ? member(json, "room") : nullptr;
  if (read.kind == Kind::Free) {
    demand(!json_is_string(room), "free: no room");
  } else if (read.kind != Kind::Dropped) {
    demand(auth::string_of(room) == read.room, "the room from a backend");
    demand(auth::string_of(member(json, "type")) == read.type, "the type from a backend");
    demand((read.type == "broadcast") == (read.kind == Kind::Broadcast), "a broadcast");
    demand(!outermost_name_twice(unmarked), "from a backend: no name twice");
    same_value(read.payload, member(json, "payload"), "the payload from a backend");
  }
}

JsonDialect dialect() {
  JsonDialect dialect;
  dialect.action = parse_json_path("/type").value();
  dialect.room = parse_json_path("/payload/0/room").value();
  dialect.join = {"join"};
  dialect.leave = {"leave"};
  dialect.publish = {"message"};
  return dialect;
}

void check_dialect(EnvelopeReader& reader, std::string_view text, const auth::OwnedJson& json) {
  using Kind = EnvelopeReader::Action::Kind;
  static const JsonDialect dialect_read = dialect();
  const bool object = json && json_is_object(json.get());
  const auto action = object ? auth::string_of(member(json, "type")) : std::string_view();
  const json_t* room = object ? auth::find_by_pointer(json.get(), "/payload/0/room") : nullptr;
  const auto read = reader.read_action(text, dialect_read);
  if (read.kind == Kind::Other) {
    demand(action != "join" && action != "leave" && action != "message", "other: no action");
  } else if (read.kind != Kind::Unreadable && read.kind != Kind::BadRoom) {
    demand(action == (read.kind == Kind::Join    ? "join"
                      : read.kind == Kind::Leave ? "leave"
                                                 : "message"),
           "the action");
    demand(auth::string_of(room) == read.room, "the room of an action");
  }
  bool dropped = false;
  const auto of_room = reader.read_room(text, dialect_read, dropped);
  demand(dropped || of_room.has_value() == json_is_string(room), "a room at the pointer");
  demand(!of_room || auth::string_of(room) == *of_room, "the room at the pointer");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  static EnvelopeReader reader;
  const Padded padded({reinterpret_cast<const char*>(octets), size});
  const std::string_view text = padded.text();
  // jansson reads none, but other parsers ignore it (RFC 8259 section 8.1).
  const std::string_view unmarked = text.substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  json_error_t error;
  const auto json = load(unmarked, as_much_as_anybody, error);
  if (!json && json_error_code(&error) == json_error_null_byte_in_key) return 0;
  check_client(reader, text, load(text));
  check_backend(reader, text, unmarked, json);
  check_dialect(reader, text, json);
  return 0;
}
