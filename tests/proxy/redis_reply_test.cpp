#include "proxy/redis_reply.h"

#include <initializer_list>

#include <doctest/doctest.h>

using namespace proxy;
using namespace std::literals;

namespace {

std::string command(std::initializer_list<std::string_view> words) {
  std::string out;
  append_redis_command(out, std::span(words.begin(), words.size()));
  return out;
}

}  // namespace

TEST_SUITE("Redis protocol") {
  TEST_CASE("a command is an array of bulk strings, whatever octets are in them") {
    CHECK(command({"PING"}) == "*1\r\n$4\r\nPING\r\n");
    CHECK(command({"PUBLISH", "a\r\n%s", "x\0y"sv}) ==
          "*3\r\n$7\r\nPUBLISH\r\n$5\r\na\r\n%s\r\n$3\r\nx\0y\r\n"sv);
    CHECK(command({"SET", "k", ""}) == "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
  }

  TEST_CASE("replies are read one by one, also when they come octet by octet") {
    RedisReader reader;
    const auto octets = "+OK\r\n:42\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\na\0b\r\n$-1\r\n"sv;
    std::size_t read = 0;
    for (const char octet : octets) {
      reader.feed({&octet, 1});
      const auto reply = reader.next();
      REQUIRE(reply);
      if (!*reply) continue;
      switch (read++) {
        case 0:
          CHECK((*reply)->text() == "OK");
          break;
        case 1:
          CHECK((*reply)->integer() == 42);
          CHECK_FALSE((*reply)->text());
          break;
        case 2:
          REQUIRE((*reply)->elements() == 3);
          CHECK((*reply)->at(0).text() == "message");
          CHECK((*reply)->at(2).text() == "a\0b"sv);
          break;
        default:
          CHECK_FALSE((*reply)->text());
          CHECK_FALSE((*reply)->integer());
          CHECK((*reply)->elements() == 0);
      }
    }
    CHECK(read == 4);
  }

  TEST_CASE("of an error its first word is told, and nothing that may repeat a password") {
    const auto error_of = [](std::string_view octets) {
      RedisReader reader;
      reader.feed(octets);
      return std::string((**reader.next()).error().value());
    };
    CHECK(error_of("-WRONGPASS invalid username-password pair\r\n") == "WRONGPASS");
    CHECK(error_of("-NOAUTH\r\n") == "NOAUTH");
    CHECK(error_of("-hunter2 is wrong\r\n") == "ERR");
    CHECK(error_of("-\r\n") == "ERR");
    CHECK(error_of("-" + std::string(33, 'A') + "\r\n") == "ERR");
    RedisReader reader;
    reader.feed("+OK\r\n");
    CHECK_FALSE((**reader.next()).error());
  }

  TEST_CASE("what is no reply is told, and nothing is read after it") {
    RedisReader reader;
    reader.feed("HTTP/1.1 400 Bad Request\r\n");
    CHECK_FALSE(reader.next());
    reader.feed("+OK\r\n");
    CHECK_FALSE(reader.next());
  }

  TEST_CASE("an array is not made as long as it says before its parts are there") {
    RedisReader most, more;
    most.feed("*" + std::to_string(RedisReader::elements_max) + "\r\n");
    CHECK(most.next());
    more.feed("*" + std::to_string(RedisReader::elements_max + 1) + "\r\n");
    CHECK_FALSE(more.next());
  }

  TEST_CASE("an array of parts that are too long together is given up before its end") {
    RedisReader reader;
    reader.feed("*1000\r\n");
    const std::string part = "$1048576\r\n" + std::string(1024 * 1024, 'x') + "\r\n";
    for (std::size_t fed = 0; fed + part.size() < RedisReader::reply_octets_max;
         fed += part.size()) {
      reader.feed(part);
      REQUIRE(reader.next());
    }
    reader.feed(part);
    CHECK_FALSE(reader.next());
  }

  TEST_CASE("many replies, each short, are as long together as they like") {
    RedisReader reader;
    const std::string part = "$1048576\r\n" + std::string(1024 * 1024, 'x') + "\r\n";
    for (int i = 0; i < 40; ++i) {
      reader.feed(part);
      const auto reply = reader.next();
      REQUIRE(reply);
      CHECK(*reply);
    }
  }

  TEST_CASE("a reply that is too long is given up before its end") {
    RedisReader reader;
    reader.feed("$536870912\r\n");
    const std::string piece(1024 * 1024, 'x');
    for (std::size_t fed = 0; fed < RedisReader::reply_octets_max; fed += piece.size()) {
      REQUIRE(reader.next());
      reader.feed(piece);
    }
    reader.feed("x");
    CHECK_FALSE(reader.next());
  }
}
