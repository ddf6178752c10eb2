#include "gateway/envelope.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/gateway/padded.h"

using namespace gateway;
using namespace std::literals;

namespace {

using Type = Envelope::Type;
using Error = EnvelopeError;
using Rules = EnvelopeReader::Rules;

constexpr Rules strict{.other_passes = false, .has_backend = true};
constexpr Rules lenient{.other_passes = true, .has_backend = true};
constexpr Rules room_server{.other_passes = false, .has_backend = false};

// What a reader said, with octets of its own.
struct Read {
  explicit Read(std::string_view text, Rules rules = strict) {
    EnvelopeReader reader;
    const Padded padded(text);
    const auto read = reader.read(padded.text(), rules);
    if (read) {
      type = read->type, room = read->room, id = read->id, payload = read->payload;
      token = read->token;
    } else {
      error = read.error().error, id = read.error().id;
    }
  }

  std::optional<Type> type;
  std::optional<Error> error;
  std::string room;
  std::string id;
  std::string payload;
  std::string token;
};

// The token in a first message; none: it is no such message.
std::optional<std::string> read_auth(std::string_view text) {
  EnvelopeReader reader;
  const Padded padded(text);
  const auto token = reader.read_auth(padded.text());
  return token ? std::optional<std::string>(*token) : std::nullopt;
}

struct ReadFromBackend {
  explicit ReadFromBackend(std::string_view text) {
    EnvelopeReader reader;
    const Padded padded(text);
    const auto read = reader.read_from_backend(padded.text());
    kind = read.kind, type = read.type, room = read.room, payload = read.payload;
  }

  EnvelopeReader::FromBackend::Kind kind;
  std::string type;
  std::string room;
  std::string payload;
};

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t at = 0; at < times; ++at) all += text;
  return all;
}

std::string message(std::string_view payload) {
  return R"({"type":"message","room":"r","payload":)" + std::string(payload) + "}";
}

std::string in_room(std::string_view room) {
  return R"({"type":"join","room":)" + std::string(room) + "}";
}

std::string with_id(std::string_view id) {
  return R"({"type":"join","room":"r","id":)" + std::string(id) + "}";
}

// An object in which arrays make `depth` levels, the innermost of them with `inside` in it.
std::string nested(std::size_t depth, std::string_view inside) {
  return message(repeated("[", depth - 1) + std::string(inside) + repeated("]", depth - 1));
}

std::string many_names(std::size_t count, std::string_view tail) {
  std::string text = R"({"type":"join","room":"r")";
  for (std::size_t at = 0; at < count; ++at) text += ",\"n" + std::to_string(at) + "\":0";
  return text + std::string(tail) + "}";
}

}  // namespace

TEST_SUITE("a client's message with a room (CONTRACT 4)") {
  TEST_CASE("a join, a leave and a message are read") {
    const Read join(R"({"type":"join","room":"r","id":1})");
    CHECK(join.type == Type::Join);
    CHECK(join.room == "r");
    CHECK(join.id == "1");
    CHECK(join.payload == "");
    CHECK(Read(R"({"type":"leave","room":"r"})").type == Type::Leave);
    const Read said(R"({"type":"message","room":"r","payload":{"a":[1]}})");
    CHECK(said.type == Type::Message);
    CHECK(said.payload == R"({"a":[1]})");
    CHECK(said.id == "");
  }

  TEST_CASE("a refresh has a token and an id, and no room") {
    const Read refresh(R"({"type":"refresh","token":"a.b\u002ec","id":"x","room":""})");
    CHECK(refresh.type == Type::Refresh);
    CHECK(refresh.token == "a.b.c");
    CHECK(refresh.id == R"("x")");
    for (std::string_view token : {"", R"(,"token":7)", R"(,"token":null)", R"(,"Token":"t")"}) {
      CAPTURE(token);
      const Read without(R"({"type":"refresh","id":1)" + std::string(token) + "}");
      CHECK(without.type == Type::Refresh);
      CHECK(without.token == "");
    }
    CHECK(Read(R"({"type":"refresh","token":"a","token":"b"})").error == Error::DuplicateName);
    CHECK(Read(R"({"type":"refresh","token":"a","id":1.5})").error == Error::BadId);
  }

  TEST_CASE("a first message is `auth` with a token and nothing else") {
    CHECK(read_auth(R"({"type":"auth","token":"a.b.c"})") == "a.b.c");
    CHECK(read_auth(R"( {"x":{"token":1},"token":"","type":"\u0061uth","id":[]} )") == "");
    for (std::string_view text :
         {R"({"type":"auth"})", R"({"type":"auth","token":7})", R"({"token":"t"})",
          R"({"type":"refresh","token":"t"})", R"({"type":"Auth","token":"t"})", R"(["auth","t"])",
          R"({"type":"auth","token":"t","token":"u"})", R"({"type":"auth","type":"x","token":"t"})",
          R"({"type":"auth","token":"t"} {})", "t", ""}) {
      CAPTURE(text);
      CHECK_FALSE(read_auth(text));
    }
  }

  TEST_CASE("order, white space and members that mean nothing to us change nothing") {
    const Read read(
        " \r\n\t{ \"x\" : { \"room\" : \"no\" } ,\n\"payload\"\t:\r\n[ 1 , 2 ] , \"id\" : 7 ,"
        " \"y\":null, \"room\" :\"r\" , \"type\" : \"message\" }\n ");
    CHECK(read.type == Type::Message);
    CHECK(read.room == "r");
    CHECK(read.id == "7");
    CHECK(read.payload == "[ 1 , 2 ]");
  }

  TEST_CASE("names and values are compared decoded") {
    const Read read(R"({"t\u0079pe":"j\u006fin","r\u006f\u006fm":"\u00e9\"\\\/","id":"\u0031"})");
    CHECK(read.type == Type::Join);
    CHECK(read.room == "é\"\\/");
    CHECK(read.id == R"("\u0031")");
  }

  TEST_CASE("a payload is what was written, octet for octet") {
    for (std::string_view payload : {R"("")",
                                     R"("x")",
                                     R"("\"")",
                                     R"("\\")",
                                     R"("\\\"}\\")",
                                     R"("a\u0022,\"room\":\"s\"")",
                                     R"("é\u00e9\ud83d\ude00")",
                                     "{}",
                                     "[]",
                                     "{ }",
                                     R"({"a":"}","b":["]",{"c":"\""}]})",
                                     "[[[]],{}]",
                                     "1",
                                     "-0.0",
                                     "1E2",
                                     "1.0",
                                     "18446744073709551615",
                                     "true",
                                     "false",
                                     "null",
                                     R"("0123456789abcdef0123456789abcde\"")",
                                     R"(["0123456789abcdef]","\\"])"}) {
      CAPTURE(payload);
      CHECK(Read(message(payload)).payload == payload);
      // Not the last member, and with space around it.
      CHECK(Read(R"({"payload" : )" + std::string(payload) + R"( ,"type":"message","room":"r"})")
                .payload == payload);
      CHECK(Read(R"({"payload":)" + std::string(payload) + R"(,"type":"message","room":"r"})")
                .payload == payload);
    }
  }

  TEST_CASE("a payload as long as it may be is found") {
    for (std::size_t size : {15U, 16U, 17U, 4096U, 100'000U}) {
      const std::string payload = '"' + std::string(size, 'x') + R"(\n")";
      CHECK(Read(message(payload)).payload == payload);
      const std::string list = "[" + repeated(R"({"a":"]"},)", size) + "0]";
      CHECK(Read(R"({"payload":)" + list + R"(,"type":"message","room":"r"})").payload == list);
    }
  }
}

TEST_SUITE("what is a bad message (CONTRACT 4, SECURITY 13 and 14)") {
  TEST_CASE("what is not one JSON object") {
    for (std::string_view text : {""sv,
                                  " "sv,
                                  "[]"sv,
                                  "1"sv,
                                  "\"{}\""sv,
                                  "null"sv,
                                  "hello"sv,
                                  "{"sv,
                                  "}"sv,
                                  R"({"type":"join","room":"r")"sv,
                                  R"({"type":"join","room":"r"}})"sv,
                                  R"({"type":"join","room":"r"} {"type":"leave","room":"r"})"sv,
                                  R"({"type":"join","room":"r"}x)"sv,
                                  "{\"type\":\"join\",\"room\":\"r\"}\0"sv,
                                  R"({"type":"join","room":"r",})"sv,
                                  R"({"type":"join" "room":"r"})"sv,
                                  R"({type:"join","room":"r"})"sv,
                                  R"({'type':'join','room':'r'})"sv,
                                  R"({"type":"join","room":"r"/**/})"sv,
                                  "{\"type\":\"join\",\"room\":\"\n\"}"sv,
                                  R"({"type":"join","room":"\x72"})"sv,
                                  R"({"type":"join","room":"\ud800"})"sv,
                                  R"({"type":"join","room":"r","x":01})"sv,
                                  R"({"type":"join","room":"r","x":NaN})"sv,
                                  R"([{"type":"join","room":"r"}])"sv,
                                  "\xEF\xBB\xBF{\"type\":\"join\",\"room\":\"r\"}"sv}) {
      CAPTURE(text);
      CHECK(Read(text, lenient).error == Error::NotAnObject);
      CHECK(Read(text, lenient).id == "");
    }
  }

  TEST_CASE("a NUL that is not escaped") {
    for (std::string_view value : {"1\0"sv, "1\0x"sv, "1.5\0x"sv, "true\0x"sv, "false\0"sv,
                                   "null\0\"\""sv, "[1\0]"sv, "\0"sv, "\"\0\""sv}) {
      CAPTURE(value);
      CHECK(Read(message(value)).error == Error::NotAnObject);
    }
    CHECK(Read("{\"type\":\"join\",\"room\":\"r\"}\0{"sv).error == Error::NotAnObject);
  }

  TEST_CASE("invalid UTF-8 anywhere") {
    for (std::string_view octets : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82"}) {
      CAPTURE(octets);
      const std::string string = '"' + std::string(octets) + '"';
      CHECK(Read(in_room(string)).error == Error::NotAnObject);
      CHECK(Read(message(string)).error == Error::NotAnObject);
    }
  }

  TEST_CASE("a number that no two parsers need read alike") {
    for (std::string_view number : {"18446744073709551616", "-9223372036854775809", "1e309",
                                    "123456789012345678901234567890"}) {
      CAPTURE(number);
      CHECK(Read(message(number)).error == Error::NotAnObject);
      CHECK(Read(with_id(number)).error == Error::NotAnObject);
    }
    CHECK(Read(message("1e308")).type == Type::Message);
  }

  TEST_CASE("64 levels are read and 65 are not, whether the innermost is empty or not") {
    for (std::string_view inside : {"", "1", R"("[")"}) {
      CAPTURE(inside);
      CHECK(Read(nested(64, inside)).type == Type::Message);
      CHECK(Read(nested(65, inside)).error == Error::TooDeep);
    }
    CHECK(Read(nested(63, "{}")).type == Type::Message);
    CHECK(Read(nested(64, "{}")).error == Error::TooDeep);
    CHECK(Read(nested(64, "[0,1],[{}]")).error == Error::TooDeep);
    CHECK(Read(nested(60'000, "")).error == Error::TooDeep);
    CHECK(Read(message('"' + repeated("[", 1000) + '"')).type == Type::Message);
  }

  TEST_CASE("after a text that is too deep, the next is read") {
    EnvelopeReader reader;
    const Padded deep(nested(65, ""));
    const Padded deepest(nested(64, ""));
    for (int times = 0; times < 2; ++times) {
      CHECK_FALSE(reader.read(deep.text(), strict).has_value());
      CHECK(reader.read(deepest.text(), strict).has_value());
    }
  }

  TEST_CASE("a name that is there twice, whatever it means, compared decoded") {
    for (std::string_view text :
         {R"({"type":"join","room":"a","room":"b"})", R"({"type":"join","room":"a","room":"a"})",
          R"({"type":"join","room":"a","r\u006fom":"b"})",
          R"({"type":"join","\u0072oom":"a","room":"b"})",
          R"({"type":"join","type":"leave","room":"r"})",
          R"({"type":"message","room":"r","payload":1,"payload":2})",
          R"({"type":"join","room":"r","id":1,"id":2})",
          R"({"type":"join","room":"r","x":1,"x":2})",
          R"({"type":"join","room":"r","x":1,"\u0078":2})",
          R"({"type":"join","room":"r","":1,"":2})", R"({"type":"other","x":1,"x":2})"}) {
      CAPTURE(text);
      CHECK(Read(text, lenient).error == Error::DuplicateName);
      CHECK(Read(text, lenient).id == "");
    }
  }

  TEST_CASE("of many names, one that is there twice is found") {
    for (std::size_t count : {7U, 8U, 9U, 16U, 17U, 1000U}) {
      CAPTURE(count);
      CHECK(Read(many_names(count, "")).type == Type::Join);
      CHECK(Read(many_names(count, R"(,"n0":0)")).error == Error::DuplicateName);
      CHECK(Read(many_names(count, R"(,"n6":0)")).error == Error::DuplicateName);
    }
    CHECK(Read(many_names(1000, R"(,"n999":0)")).error == Error::DuplicateName);
  }

  TEST_CASE("what is inside of a member is its own affair") {
    CHECK(Read(message(R"({"room":"s","room":"t","from":"x","type":"left"})")).room == "r");
  }

  TEST_CASE("a message without a type that is a string") {
    for (std::string_view text :
         {R"({})", R"({"room":"r"})", R"({"type":1,"room":"r"})", R"({"type":null,"room":"r"})",
          R"({"type":["join"],"room":"r"})"}) {
      CAPTURE(text);
      CHECK(Read(text, lenient).error == Error::NoType);
    }
  }

  TEST_CASE("a type that is not known, unless others pass") {
    for (std::string_view type : {"", "x", "Join", "JOIN", "join ", "messag", "messages"}) {
      CAPTURE(type);
      const std::string text = R"({"type":")" + std::string(type) + R"(","room":"r","payload":1})";
      CHECK(Read(text).error == Error::UnknownType);
      CHECK(Read(text, lenient).type == Type::Other);
      CHECK(Read(text, lenient).room == "");
    }
  }

  TEST_CASE("types that carry a token do not pass with others") {
    CHECK(Read(R"({"type":"auth","token":"t"})").error == Error::UnknownType);
    CHECK(Read(R"({"type":"auth","token":"t"})", lenient).error == Error::UnknownType);
    CHECK(Read(R"({"type":"refresh","token":"t"})", lenient).type == Type::Refresh);
  }

  TEST_CASE("a type that no client can send, also where others pass") {
    for (std::string_view type : {"broadcast", "joined", "left", "error", "expiring", "refreshed",
                                  "authenticated", "br\\u006fadcast"}) {
      CAPTURE(type);
      const std::string text = R"({"type":")" + std::string(type) + R"(","room":"r","id":"x"})";
      for (Rules rules : {strict, lenient, room_server}) {
        CHECK(Read(text, rules).error == Error::ReservedType);
        CHECK(Read(text, rules).id == R"("x")");
      }
    }
  }

  TEST_CASE("a room is 1 to 256 octets of UTF-8 without control characters") {
    const std::string longest(256, 'x');
    for (std::string room :
         {"*"s, "a"s, "../"s, "é"s, "a b"s, "{x}"s, "😀"s, longest, repeated("é", 128)}) {
      CAPTURE(room);
      CHECK(Read(in_room('"' + room + '"')).room == room);
    }
    for (std::string room :
         {R"("")"s, R"("a\r\nPUBLISH")"s, R"("\u0000")"s, R"("\u001f")"s, R"("\u007f")"s,
          R"("\u0085")"s, '"' + longest + "x\"", '"' + repeated("é", 128) + "x\"",
          '"' + std::string(65536, 'x') + '"', "1"s, "null"s, R"(["r"])"s, R"({"room":"r"})"s}) {
      CAPTURE(room);
      CHECK(Read(in_room(room)).error == Error::BadRoom);
    }
    CHECK(Read(R"({"type":"leave"})").error == Error::BadRoom);
    CHECK(Read(R"({"type":"message","payload":1,"id":5})").error == Error::BadRoom);
    CHECK(Read(R"({"type":"message","payload":1,"id":5})").id == "5");
  }

  TEST_CASE("an id is an integer, or a string of at most 64 octets") {
    const std::string longest = '"' + std::string(64, 'x') + '"';
    for (std::string id : {"0"s, "-1"s, "18446744073709551615"s, "-9223372036854775808"s, R"("")"s,
                           R"("a\"b")"s, longest, '"' + repeated("\\u0041", 64) + '"'}) {
      CAPTURE(id);
      CHECK(Read(with_id(id)).id == id);
      CHECK(Read(with_id(id)).type == Type::Join);
    }
    for (std::string id : {"1.0"s, "1e3"s, "null"s, "true"s, "[]"s, "{}"s, "[1]"s,
                           '"' + std::string(65, 'x') + '"', '"' + repeated("é", 33) + '"'}) {
      CAPTURE(id);
      CHECK(Read(with_id(id)).error == Error::BadId);
      CHECK(Read(with_id(id)).id == "");
    }
  }

  TEST_CASE("the id of a message of another type is its own affair") {
    const Read read(R"({"type":"rpc","id":null,"payload":1})", lenient);
    CHECK(read.type == Type::Other);
    CHECK(read.id == "");
    CHECK(Read(R"({"type":"rpc","id":3})", lenient).id == "3");
  }

  TEST_CASE("a `from` where a backend would believe it") {
    for (std::string_view text : {R"({"type":"message","room":"r","from":"bob","id":1})",
                                  R"({"type":"message","room":"r","fr\u006fm":null,"id":1})",
                                  R"({"type":"rpc","from":"bob","id":1})"}) {
      CAPTURE(text);
      CHECK(Read(text, lenient).error == Error::HasFrom);
      CHECK(Read(text, lenient).id == "1");
    }
    CHECK(Read(R"({"type":"message","room":"r","from":"bob"})", room_server).type == Type::Message);
  }

  TEST_CASE("a name in which a backend that ignores case would read another type, room or sender") {
    for (std::string_view text : {R"({"type":"message","room":"r","Room":"s","id":1})",
                                  R"({"ROOM":"s","type":"message","room":"r","id":1})",
                                  R"({"type":"message","room":"r","\u0046rom":"bob","id":1})",
                                  R"({"type":"rpc","tyPe":"message","room":"r","id":1})"}) {
      CAPTURE(text);
      CHECK(Read(text, lenient).error == Error::NameInOtherCase);
      CHECK(Read(text, lenient).id == "1");
      CHECK(Read(text, {.other_passes = true, .has_backend = false}).type.has_value());
    }
    CHECK(Read(R"({"type":"message","room":"r","Payload":1,"ID":2,"rooms":3})").room == "r");
  }
}

TEST_SUITE("a text from a backend (CONTRACT 4)") {
  using Kind = EnvelopeReader::FromBackend::Kind;

  TEST_CASE("text with a top-level string room is of that room") {
    const ReadFromBackend read(R"({"type":"joined","r\u006fom":"r","payload":[1, 2],"from":"x"})");
    CHECK(read.kind == Kind::OfRoom);
    CHECK(read.type == "joined");
    CHECK(read.room == "r");
    CHECK(read.payload == "[1, 2]");
    CHECK(ReadFromBackend(R"({"room":"r"})").kind == Kind::OfRoom);
    CHECK(ReadFromBackend(R"({"room":"r","type":7})").type == "");
  }

  TEST_CASE("everything else is of no room") {
    for (std::string_view text :
         {"", "hello", "[]", R"([{"room":"r"}])", R"("room")", "{}", R"({"room":1})",
          R"({"room":null})", R"({"room":["r"]})", R"({"data":{"room":"r"}})", R"({"room":"r")",
          R"({"room":"r"} x)", R"({room:"r"})", R"({"type":"broadcast"})",
          R"({"type":"broadcast","room":5})", "[1e999]", "{\"room\":\"\n\"}"}) {
      CAPTURE(text);
      CHECK(ReadFromBackend(text).kind == Kind::Free);
    }
    CHECK(ReadFromBackend("[" + repeated("[", 100) + repeated("]", 101)).kind == Kind::Free);
  }

  TEST_CASE("a broadcast is one with a valid room") {
    const ReadFromBackend read(R"({"type":"broadcast","room":"r","payload":"p"})");
    CHECK(read.kind == Kind::Broadcast);
    CHECK(read.type == "broadcast");
    CHECK(read.room == "r");
    CHECK(read.payload == R"("p")");
    CHECK(ReadFromBackend(R"({"type":"Broadcast","room":"r"})").kind == Kind::OfRoom);
  }

  TEST_CASE("what is of a room that cannot be is dropped") {
    for (std::string_view room : {R"("")", R"("a\n")", R"("\u0000")"}) {
      CAPTURE(room);
      CHECK(ReadFromBackend(R"({"type":"broadcast","room":)" + std::string(room) + "}").kind ==
            Kind::Dropped);
      CHECK(ReadFromBackend(R"({"room":)" + std::string(room) + "}").kind == Kind::Dropped);
    }
    CHECK(ReadFromBackend(R"({"room":")" + std::string(257, 'x') + "\"}").kind == Kind::Dropped);
  }

  TEST_CASE("a name that is there twice is dropped") {
    for (std::string_view text : {R"({"room":"a","room":"b"})", R"({"room":1,"r\u006fom":"b"})",
                                  R"({"room":"a","x":1,"x":2})", R"({"x":1,"x":2})"}) {
      CAPTURE(text);
      CHECK(ReadFromBackend(text).kind == Kind::Dropped);
    }
  }

  TEST_CASE("what a client may read and we cannot is dropped") {
    for (std::string text :
         {R"({"room":"r","x":1e999})"s, R"({"x":18446744073709551616,"room":"r"})"s,
          R"({"room":"r","x":"\ud800"})"s, "{\"room\":\"r\",\"x\":\"\xff\"}"s,
          R"({"room":"r","x":)" + repeated("[", 64) + repeated("]", 64) + "}",
          " " + nested(2000, "1")}) {
      CAPTURE(text);
      CHECK(ReadFromBackend(text).kind == Kind::Dropped);
    }
  }

  TEST_CASE("by the admin API comes a payload, octet for octet") {
    const auto payload = [](std::string_view text) -> std::optional<std::string> {
      EnvelopeReader reader;
      const Padded padded(text);
      const auto read = reader.read_payload(padded.text());
      return read ? std::optional<std::string>(*read) : std::nullopt;
    };
    CHECK(payload(R"({"payload": {"a" :1.0e2, "b":"\u00e9"} })") ==
          R"({"a" :1.0e2, "b":"\u00e9"})");
    CHECK(payload(R"({"payload":null})") == "null");
    CHECK(payload(R"({"x":1,"p\u0061yload":[]})") == "[]");
    for (const auto* text :
         {"", "{}", "[]", "1", R"({"payload":1)", R"({"payload":1} x)", R"({"Payload":1})",
          R"({"payload":1,"payload":2})", R"({"payload":1,"p\u0061yload":2})",
          R"({"payload":1,"x":1,"x":2})", R"({"payload":01})", "{\"payload\":\"\xff\"}",
          "\xEF\xBB\xBF{\"payload\":1}"}) {
      CAPTURE(text);
      CHECK_FALSE(payload(text));
    }
    CHECK_FALSE(payload("{\"payload\":" + repeated("[", 64) + repeated("]", 64) + "}"));
    CHECK(payload("{\"payload\":" + repeated("[", 63) + repeated("]", 63) + "}"));
  }

  TEST_CASE("a byte order mark hides no room (RFC 8259 section 8.1)") {
    CHECK(ReadFromBackend("\xEF\xBB\xBF{\"room\":\"r\"}").room == "r");
    CHECK(ReadFromBackend("\xEF\xBB\xBFhello").kind == Kind::Free);
  }
}

TEST_SUITE("another protocol's JSON, read in place (CONTRACT 4)") {
  using Kind = EnvelopeReader::Action::Kind;

  JsonDialect dialect_with(std::string_view action, std::string_view room) {
    JsonDialect dialect;
    dialect.action = parse_json_path(action).value();
    dialect.room = parse_json_path(room).value();
    dialect.join = {"subscribe"};
    dialect.leave = {"unsubscribe"};
    dialect.publish = {"publish", "typing"};
    return dialect;
  }

  const JsonDialect flat = dialect_with("/op", "/channel");

  struct ReadAction {
    explicit ReadAction(std::string_view text, const JsonDialect& dialect = flat) {
      EnvelopeReader reader;
      const Padded padded(text);
      const auto read = reader.read_action(padded.text(), dialect);
      kind = read.kind, room = read.room;
    }
    Kind kind;
    std::string room;
  };

  struct ReadRoom {
    explicit ReadRoom(std::string_view text, const JsonDialect& dialect = flat) {
      EnvelopeReader reader;
      const Padded padded(text);
      room = reader.read_room(padded.text(), dialect, dropped);
    }
    bool dropped = true;
    std::optional<std::string> room;
  };

  TEST_CASE("the lists say what an action means") {
    CHECK(ReadAction(R"({"op":"subscribe","channel":"r"})").kind == Kind::Join);
    CHECK(ReadAction(R"({"op":"unsubscribe","channel":"r"})").kind == Kind::Leave);
    CHECK(ReadAction(R"({"op":"publish","channel":"r"})").kind == Kind::Publish);
    CHECK(ReadAction(R"({"channel":"a\u002fb","data":{},"\u006fp":"typ\u0069ng"})").kind ==
          Kind::Publish);
    CHECK(ReadAction(R"({"op":"publish","channel":"a\u002fb"})").room == "a/b");
  }

  TEST_CASE("what has no action of the lists is other") {
    for (std::string_view text :
         {"", "hello", "[]", R"([{"op":"publish","channel":"r"}])", "{}", R"({"channel":"r"})",
          R"({"op":"ping","channel":"r"})", R"({"op":"Publish","channel":"r"})",
          R"({"op":1,"channel":"r"})", R"({"op":null})", R"({"op":true})",
          R"({"op":["publish"],"channel":"r"})", R"({"op":{"publish":1},"channel":"r"})"}) {
      CAPTURE(text);
      CHECK(ReadAction(text).kind == Kind::Other);
    }
  }

  TEST_CASE("an action of the lists needs a valid room") {
    for (std::string_view text :
         {R"({"op":"subscribe"})", R"({"op":"unsubscribe","channel":1})",
          R"({"op":"publish","channel":["r"]})", R"({"op":"publish","channel":""})",
          R"({"op":"publish","channel":"a\u0000"})"}) {
      CAPTURE(text);
      CHECK(ReadAction(text).kind == Kind::BadRoom);
    }
  }

  TEST_CASE("what a backend may read as another action or room never passes") {
    for (std::string text :
         {R"({"op":"ping","op":"publish","channel":"r"})"s,
          R"({"op":"publish","\u006fp":"ping","channel":"r"})"s,
          R"({"op":"publish","channel":"open","channel":"closed"})"s,
          R"({"op":"publish","channel":"r","x":1e999})"s,
          R"({"op":"publish","channel":"r","x":"\ud800"})"s,
          R"({"op":"ping","Op":"publish","channel":"r"})"s, R"({"OP":"publish","channel":"r"})"s,
          R"({"op":"publish","channel":"open","Channel":"closed"})"s,
          R"({"op":"publish","channel":"r"} {})"s, R"({"op":"publish","channel":"r",})"s,
          R"( {op:"publish","channel":"r"})"s, "\xEF\xBB\xBF{\"op\":1,\"op\":2}"s,
          R"({"op":"publish","channel":"r","x":)" + repeated("[", 64) + repeated("]", 64) + "}"}) {
      CAPTURE(text);
      CHECK(ReadAction(text).kind == Kind::Unreadable);
    }
  }

  TEST_CASE("a name that is there twice beside the way changes nothing") {
    CHECK(ReadAction(R"({"x":1,"op":"publish","x":2,"channel":"r"})").kind == Kind::Publish);
    CHECK(ReadRoom(R"({"x":1,"channel":"r","x":2})").room == "r");
  }

  TEST_CASE("pointers go through objects and arrays, and look for names twice at each level") {
    const auto deep = dialect_with("/head/0/op", "/body/a~1b/1");
    CHECK(ReadAction(R"({"head":[{"op":"publish"}],"body":{"a/b":["x","r"]}})", deep).room == "r");
    for (std::string_view text :
         {R"({"head":[{"op":"publish"}],"head":[{"op":"ping"}],"body":{"a/b":["x","r"]}})",
          R"({"head":[{"op":"publish","op":"ping"}],"body":{"a/b":["x","r"]}})",
          R"({"head":[{"op":"publish"}],"body":{"a/b":["x","r"],"a\/b":["x","s"]}})"}) {
      CAPTURE(text);
      CHECK(ReadAction(text, deep).kind == Kind::Unreadable);
    }
    for (std::string_view text :
         {R"({"head":{"0":{"ip":"publish"}}})", R"({"head":[]})", R"({"head":["publish"]})",
          R"({"head":"publish"})", R"({"head":[[{"op":"publish"}]]})"}) {
      CAPTURE(text);
      CHECK(ReadAction(text, deep).kind == Kind::Other);
    }
    // In an object, "0" is a name like any other.
    CHECK(ReadAction(R"({"head":{"0":{"op":"publish"}},"body":{"a/b":{"1":"r"}}})", deep).room ==
          "r");
  }

  TEST_CASE("letters that are not ASCII and fold into it make the same name, others do not") {
    const auto dialect = dialect_with("/task", "/r");
    for (std::string_view name : {"TASK", "ta\u017Fk", "tas\u212A"}) {
      CAPTURE(name);
      const auto text = R"({"task":"ping",")" + std::string(name) + R"(":"publish","r":"r"})";
      CHECK(ReadAction(text, dialect).kind == Kind::Unreadable);
    }
    for (std::string_view name : {"task2", "tas", "ta\u00DFk", "t\u00E5sk", ""}) {
      CAPTURE(name);
      const auto text = R"({"task":"publish",")" + std::string(name) + R"(":"ping","r":"r"})";
      CHECK(ReadAction(text, dialect).kind == Kind::Publish);
    }
  }

  TEST_CASE("an index has no leading zero, and '-' is never there") {
    for (std::string_view pointer : {"/l/01", "/l/-", "/l/3", "/l/99999999999999999999"}) {
      CAPTURE(pointer);
      CHECK(ReadAction(R"({"l":["a","publish"],"r":"r"})", dialect_with(pointer, "/r")).kind ==
            Kind::Other);
    }
    CHECK(ReadAction(R"({"l":["a","publish"],"r":"r"})", dialect_with("/l/1", "/r")).kind ==
          Kind::Publish);
  }

  TEST_CASE("from a backend, the string at the room's pointer is the room") {
    CHECK(ReadRoom(R"({"op":"x","channel":"r"})").room == "r");
    CHECK_FALSE(ReadRoom(R"({"op":"x","channel":"r"})").dropped);
    for (std::string_view text :
         {"", "hello", "[]", "{}", R"({"channel":1})", R"({"channel":"r")"}) {
      CAPTURE(text);
      CHECK(ReadRoom(text).room == std::nullopt);
      CHECK_FALSE(ReadRoom(text).dropped);
    }
    for (std::string_view text : {R"({"channel":"a","channel":"b"})", R"({"channel":""})",
                                  R"({"channel":"r","x":1e999})"}) {
      CAPTURE(text);
      CHECK(ReadRoom(text).room == std::nullopt);
      CHECK(ReadRoom(text).dropped);
    }
  }
}

TEST_SUITE("one reader for all") {
  TEST_CASE("what was read before does not show") {
    EnvelopeReader reader;
    const Padded first(R"({"type":"message","room":"a","id":1,"payload":2,"from":"x","y":1})");
    const Padded second(R"({"type":"join","room":"b","y":1})");
    CHECK(reader.read(first.text(), room_server)->payload == "2");
    const auto read = reader.read(second.text(), strict);
    REQUIRE(read.has_value());
    CHECK(read->room == "b");
    CHECK(read->id == "");
    CHECK(read->payload == "");
  }

  TEST_CASE("texts longer than what is kept, and short ones after them, are read") {
    EnvelopeReader reader;
    const Padded small(message("1"));
    for (std::size_t size : {EnvelopeReader::kept_octets_max + 1, std::size_t{4} << 20}) {
      const std::string payload = '"' + std::string(size, 'x') + '"';
      const Padded large(message(payload));
      CHECK(reader.read(large.text(), strict)->payload == payload);
      CHECK(reader.read(small.text(), strict)->payload == "1");
    }
  }
}
