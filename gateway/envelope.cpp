// The one door to simdjson in this room.
#include "gateway/envelope.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <utility>
#include <vector>

#include <simdjson.h>

#include "auth/room_name.h"
#include "gateway/distinct_names.h"
#include "gateway/raw_members.h"

namespace gateway {
namespace {

using namespace std::literals;
namespace dom = simdjson::dom;

constexpr std::size_t capacity_min = 4096;

static_assert(EnvelopeReader::padding_octets >= simdjson::SIMDJSON_PADDING);
static_assert(EnvelopeReader::padding_octets >= RawMembers::padding_octets);

// Why there is nothing to read in a text.
enum class Unread : std::uint8_t {
  NotJson,  // by the grammar (RFC 8259), or it is no object: nobody reads members in it
  Limited,  // somebody else's parser may read an object in it; this one does not
  TooDeep,  // the same
  DuplicateName,
};

Unread unread_for(simdjson::error_code error) {
  switch (error) {
    case simdjson::DEPTH_ERROR:
      return Unread::TooDeep;
    case simdjson::TAPE_ERROR:
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
    case simdjson::EMPTY:
    case simdjson::UNESCAPED_CHARS:
    case simdjson::UNCLOSED_STRING:
      return Unread::NotJson;
    default:
      // NUMBER_ERROR: out of range; STRING_ERROR: half of a surrogate pair, escaped; MEMALLOC...
      return Unread::Limited;
  }
}

bool begins_as_object(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && text[first] == '{';
}

// RFC 8259 section 8.1: nobody may write one, but a parser may ignore it.
std::string_view without_byte_order_mark(std::string_view text) {
  constexpr auto mark = "\xEF\xBB\xBF"sv;
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  return text;
}

// Takes the first letter off. Two that are not ASCII are, but for case, letters that are (Unicode,
// CaseFolding.txt): U+017F is an s, and U+212A a k.
char32_t take_folded(std::string_view& text) {
  for (const auto& [letter, folded] : {std::pair("\u017F"sv, U's'), std::pair("\u212A"sv, U'k')}) {
    if (!text.starts_with(letter)) continue;
    text.remove_prefix(letter.size());
    return folded;
  }
  const char c = text.front();
  text.remove_prefix(1);
  return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

// Are there parsers that take the one for the other?
bool equal_but_for_case(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (take_folded(a) != take_folded(b)) return false;
  }
  return a.empty() && b.empty();
}

std::optional<std::string_view> string_in(dom::element value) {
  std::string_view string;
  if (value.get_string().get(string) != simdjson::SUCCESS) return std::nullopt;
  return string;
}

std::optional<std::size_t> string_octets(dom::element value) {
  const auto string = string_in(value);
  return string ? std::optional(string->size()) : std::nullopt;
}

struct Member {
  dom::element value;    // only where it is there
  std::string_view raw;  // empty: it is not there
  bool there() const { return !raw.empty(); }
  std::optional<std::string_view> string() const {
    return there() ? string_in(value) : std::nullopt;
  }
};

// Those of the outermost object that mean something to us.
struct Members {
  Member type, room, id, payload, from, token;
  bool in_other_case = false;  // a name that some take for `type`, `room` or `from`

  Member* find(std::string_view name) {
    switch (name.size()) {
      case 2:
        return name == "id"sv ? &id : nullptr;
      case 4:
        if (name == "type"sv) return &type;
        if (name == "room"sv) return &room;
        return name == "from"sv ? &from : nullptr;
      case 5:
        return name == "token"sv ? &token : nullptr;
      case 7:
        return name == "payload"sv ? &payload : nullptr;
      default:
        return nullptr;
    }
  }
};

// SECURITY 14: whoever ignores case would read another type, room or sender than we. `name` is none
// of ours.
bool decides_in_other_case(std::string_view name) {
  constexpr std::array decisive{"type"sv, "room"sv, "from"sv};
  return name.size() == 4 && std::any_of(decisive.begin(), decisive.end(),
                                         [&](auto ours) { return equal_but_for_case(name, ours); });
}

bool is_id(const Member& id) {
  if (id.value.is_int64() || id.value.is_uint64()) return true;
  const auto string = id.string();
  return string && string->size() <= EnvelopeReader::id_octets_max;
}

struct ReadType {
  std::string_view name;
  std::expected<Envelope::Type, EnvelopeError> type;
};

// `auth` and `refresh` carry a token: whatever the route lets pass, they do not. `auth` has its
// place before all others.
const std::array<ReadType, 12> our_types{{
    {"message", Envelope::Type::Message},
    {"join", Envelope::Type::Join},
    {"leave", Envelope::Type::Leave},
    {"auth", std::unexpected(EnvelopeError::UnknownType)},
    {"refresh", Envelope::Type::Refresh},
    {"authenticated", std::unexpected(EnvelopeError::ReservedType)},
    {"broadcast", std::unexpected(EnvelopeError::ReservedType)},
    {"error", std::unexpected(EnvelopeError::ReservedType)},
    {"expiring", std::unexpected(EnvelopeError::ReservedType)},
    {"joined", std::unexpected(EnvelopeError::ReservedType)},
    {"left", std::unexpected(EnvelopeError::ReservedType)},
    {"refreshed", std::unexpected(EnvelopeError::ReservedType)},
}};

std::expected<Envelope::Type, EnvelopeError> read_type(const Member& type, bool other_passes) {
  const auto name = type.string();
  if (!name) return std::unexpected(EnvelopeError::NoType);
  for (const auto& ours : our_types) {
    if (*name == ours.name) return ours.type;
  }
  if (other_passes) return Envelope::Type::Other;
  return std::unexpected(EnvelopeError::UnknownType);
}

// The raw text, where it is well-formed; else empty.
std::string_view id_of(const Members& members) {
  return members.id.there() && is_id(members.id) ? members.id.raw : std::string_view();
}

std::expected<Envelope, EnvelopeError> envelope_of(const Members& members,
                                                   EnvelopeReader::Rules rules) {
  if (rules.has_backend && members.from.there()) return std::unexpected(EnvelopeError::HasFrom);
  if (rules.has_backend && members.in_other_case) {
    return std::unexpected(EnvelopeError::NameInOtherCase);
  }
  const auto type = read_type(members.type, rules.other_passes);
  if (!type) return std::unexpected(type.error());
  const std::string_view id = id_of(members);
  if (*type == Envelope::Type::Other) {
    return Envelope{.type = *type, .id = id, .payload = members.payload.raw};
  }
  if (members.id.there() && id.empty()) return std::unexpected(EnvelopeError::BadId);
  if (*type == Envelope::Type::Refresh) {
    return Envelope{.type = *type, .id = id, .token = members.token.string().value_or(""sv)};
  }
  const auto room = members.room.string();
  if (!room || !auth::valid_room_name(*room)) return std::unexpected(EnvelopeError::BadRoom);
  return Envelope{.type = *type, .room = *room, .id = id, .payload = members.payload.raw};
}

EnvelopeError error_for(Unread unread) {
  if (unread == Unread::TooDeep) return EnvelopeError::TooDeep;
  if (unread == Unread::DuplicateName) return EnvelopeError::DuplicateName;
  return EnvelopeError::NotAnObject;
}

// The member of that name; twice there, or once in another case, is an error: the two may differ.
std::expected<std::optional<dom::element>, Unread> member_of(dom::object object,
                                                             std::string_view name) {
  std::optional<dom::element> found;
  for (const auto& [key, value] : object) {
    if (!equal_but_for_case(key, name)) continue;
    if (found || key != name) return std::unexpected(Unread::DuplicateName);
    found = value;
  }
  return found;
}

// RFC 6901 section 4. No string: there is none, or something else.
std::expected<std::optional<std::string_view>, Unread> string_at(dom::element value,
                                                                 const JsonPath& path) {
  for (const auto& segment : path.segments) {
    if (dom::object object; value.get_object().get(object) == simdjson::SUCCESS) {
      const auto member = member_of(object, segment.name);
      if (!member) return std::unexpected(member.error());
      if (!*member) return std::nullopt;
      value = **member;
    } else {
      dom::array array;
      if (!segment.index || value.get_array().get(array) != simdjson::SUCCESS) return std::nullopt;
      if (array.at(*segment.index).get(value) != simdjson::SUCCESS) return std::nullopt;
    }
  }
  return string_in(value);
}

using Action = EnvelopeReader::Action;

Action::Kind kind_of(std::string_view action, const JsonDialect& dialect) {
  const auto in = [action](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), action) != list.end();
  };
  if (in(dialect.publish)) return Action::Kind::Publish;
  if (in(dialect.join)) return Action::Kind::Join;
  return in(dialect.leave) ? Action::Kind::Leave : Action::Kind::Other;
}

}  // namespace

class EnvelopeReader::Parser {
 public:
  // One object, no deeper than depth_max; whatever names are in it.
  std::expected<dom::element, Unread> read_object(std::string_view text) {
    if (!begins_as_object(text)) return std::unexpected(Unread::NotJson);
    if (!make_room(text.size())) return std::unexpected(Unread::Limited);
    dom::element object;
    auto error = parse(text, object);
    if (error == simdjson::DEPTH_ERROR) error = parse_deeper(text, object);
    if (error != simdjson::SUCCESS) return std::unexpected(unread_for(error));
    return object;
  }

  // The same, and no name is in the outermost object twice. Until the next call.
  std::expected<const Members*, Unread> read_members(std::string_view text) {
    const auto element = read_object(text);
    if (!element) return std::unexpected(element.error());
    const dom::object object = element->get_object().value_unsafe();
    members_ = {};
    others_.clear();
    RawMembers raw(text);
    for (auto field = object.begin(); field != object.end();) {
      const std::string_view name = field.key();
      const dom::element value = field.value();
      const bool last = ++field == object.end();
      const auto raw_value = raw.next({name.size(), string_octets(value), last});
      if (!add(name, value, raw_value)) return std::unexpected(Unread::DuplicateName);
    }
    return &members_;
  }

 private:
  // False: the name is there already.
  bool add(std::string_view name, dom::element value, std::string_view raw) {
    Member* ours = members_.find(name);
    if (ours == nullptr) {
      members_.in_other_case |= decides_in_other_case(name);
      return others_.add(name);
    }
    if (ours->there()) return false;
    ours->value = value;
    ours->raw = raw;
    return true;
  }

  simdjson::error_code parse(std::string_view text, dom::element& document) {
    return parser_->parse_into_document(document_, text.data(), text.size(), false).get(document);
  }

  // simdjson does not count an empty container, and lets one less than it is told be inside of one
  // another of the others. So what it accepted is no deeper than depth_max; what it refused may
  // just be so deep.
  simdjson::error_code parse_deeper(std::string_view text, dom::element& document) {
    auto error = parser_->allocate(capacity_, depth_max + 1);
    if (error == simdjson::SUCCESS) error = parse(text, document);
    const auto restored = parser_->allocate(capacity_, depth_max);
    if (error != simdjson::SUCCESS) return error;
    if (restored != simdjson::SUCCESS) return restored;
    return json_depth(text) > depth_max ? simdjson::DEPTH_ERROR : simdjson::SUCCESS;
  }

  // False: there is no memory for it.
  bool make_room(std::size_t octets) {
    const bool lavish = capacity_ > kept_octets_max && octets <= kept_octets_max;
    if (octets <= capacity_ && !lavish) return true;
    capacity_ = 0;
    others_ = {};
    parser_.emplace();
    const std::size_t wanted =
        octets > kept_octets_max ? octets : std::bit_ceil(std::max(octets, capacity_min));
    if (parser_->allocate(wanted, depth_max) != simdjson::SUCCESS) return false;
    if (document_.allocate(wanted) != simdjson::SUCCESS) return false;
    capacity_ = wanted;
    return true;
  }

  std::optional<dom::parser> parser_;  // none until the first text
  dom::document document_;
  std::size_t capacity_ = 0;  // of both
  Members members_;
  DistinctNames others_;  // names that mean nothing to us
};

EnvelopeReader::EnvelopeReader() : parser_(std::make_unique<Parser>()) {}
EnvelopeReader::~EnvelopeReader() = default;

std::expected<Envelope, EnvelopeFault> EnvelopeReader::read(std::string_view text, Rules rules) {
  const auto members = parser_->read_members(text);
  if (!members) return std::unexpected(EnvelopeFault{error_for(members.error()), {}});
  const auto envelope = envelope_of(**members, rules);
  if (!envelope) return std::unexpected(EnvelopeFault{envelope.error(), id_of(**members)});
  return *envelope;
}

std::optional<std::string_view> EnvelopeReader::read_auth(std::string_view text) {
  const auto members = parser_->read_members(text);
  if (!members || (*members)->type.string() != "auth"sv) return std::nullopt;
  return (*members)->token.string();
}

EnvelopeReader::FromBackend EnvelopeReader::read_from_backend(std::string_view text) {
  using Kind = FromBackend::Kind;
  const auto members = parser_->read_members(without_byte_order_mark(text));
  if (!members) {
    return {members.error() == Unread::NotJson ? Kind::Free : Kind::Dropped, {}, {}, {}};
  }
  const auto type = (*members)->type.string().value_or(""sv);
  const auto room = (*members)->room.string();
  if (!room) return {Kind::Free, type, {}, (*members)->payload.raw};
  if (!auth::valid_room_name(*room)) return {Kind::Dropped, type, {}, {}};
  return {type == "broadcast"sv ? Kind::Broadcast : Kind::OfRoom, type, *room,
          (*members)->payload.raw};
}

std::optional<std::string_view> EnvelopeReader::read_from_bus(std::string_view text) {
  const auto members = parser_->read_members(text);
  if (!members || (*members)->in_other_case) return std::nullopt;
  if ((*members)->type.string() != "message"sv) return std::nullopt;
  const auto room = (*members)->room.string();
  return room && auth::valid_room_name(*room) ? room : std::nullopt;
}

std::optional<std::string_view> EnvelopeReader::read_payload(std::string_view text) {
  const auto members = parser_->read_members(text);
  if (!members || !(*members)->payload.there()) return std::nullopt;
  return (*members)->payload.raw;
}

EnvelopeReader::Action EnvelopeReader::read_action(std::string_view text,
                                                   const JsonDialect& dialect) {
  using Kind = Action::Kind;
  text = without_byte_order_mark(text);
  if (!begins_as_object(text)) return {Kind::Other, {}};
  const auto object = parser_->read_object(text);
  if (!object) return {Kind::Unreadable, {}};
  const auto action = string_at(*object, dialect.action);
  if (!action) return {Kind::Unreadable, {}};
  if (!*action) return {Kind::Other, {}};
  const Kind kind = kind_of(**action, dialect);
  if (kind == Kind::Other) return {kind, {}};
  const auto room = string_at(*object, dialect.room);
  if (!room) return {Kind::Unreadable, {}};
  if (!*room || !auth::valid_room_name(**room)) return {Kind::BadRoom, {}};
  return {kind, **room};
}

std::optional<std::string_view> EnvelopeReader::read_room(std::string_view text,
                                                          const JsonDialect& dialect,
                                                          bool& dropped) {
  dropped = false;
  const auto object = parser_->read_object(without_byte_order_mark(text));
  if (!object) {
    dropped = object.error() != Unread::NotJson;
    return std::nullopt;
  }
  const auto room = string_at(*object, dialect.room);
  dropped = !room || (*room && !auth::valid_room_name(**room));
  return dropped ? std::nullopt : *room;
}

}  // namespace gateway
