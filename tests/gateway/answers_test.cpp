#include "gateway/answers.h"

#include <doctest/doctest.h>
#include <jansson.h>

#include "auth/json.h"

using namespace gateway;
using namespace std::literals;

namespace {

std::string room_in(std::string_view text) {
  const auto object = auth::parse_json_object(text);
  REQUIRE(object.has_value());
  return std::string(auth::string_of(json_object_get(object->get(), "room")));
}

}  // namespace

TEST_SUITE("what the gateway says about rooms (CONTRACT 4)") {
  TEST_CASE("joined") {
    CHECK(joined_answer("r", "1") == R"({"type":"joined","room":"r","id":1})");
    CHECK(joined_answer("r", "") == R"({"type":"joined","room":"r"})");
    CHECK(joined_answer("r", R"("\u0041")") == R"({"type":"joined","room":"r","id":"\u0041"})");
  }

  TEST_CASE("left, asked for or not") {
    CHECK(left_answer("r", "", "") == R"({"type":"left","room":"r"})");
    CHECK(left_answer("r", "-7", "") == R"({"type":"left","room":"r","id":-7})");
    CHECK(left_answer("r", "", "policy") == R"({"type":"left","room":"r","reason":"policy"})");
    CHECK(left_answer("r", "", "refresh") == R"({"type":"left","room":"r","reason":"refresh"})");
  }

  TEST_CASE("what is said of a token, and until when it is good") {
    const auth::WallTime end{1'790'000'000'999ms};
    CHECK(refreshed_answer(end, "") == R"({"type":"refreshed","expires_at":1790000000})");
    CHECK(refreshed_answer(end, R"("x")") ==
          R"({"type":"refreshed","expires_at":1790000000,"id":"x"})");
    CHECK(refreshed_answer({}, "1") == R"({"type":"refreshed","id":1})");
    CHECK(authenticated_answer("a\"b", end) ==
          R"({"type":"authenticated","subject":"a\"b","expires_at":1790000000})");
    CHECK(expiring_answer(30s) == R"({"type":"expiring","expires_in":30})");
    CHECK(leave_message("r\n") == R"({"type":"leave","room":"r\u000a"})");
  }

  TEST_CASE("each error has its code and a plain message") {
    struct Row {
      RoomError error;
      std::string_view text;
    };
    for (
        const Row& row : {
            Row{RoomError::AccessDenied,
                R"({"type":"error","code":"access_denied","message":"Access denied"})"},
            Row{RoomError::RateLimited,
                R"({"type":"error","code":"rate_limited","message":"Rate limit exceeded"})"},
            Row{RoomError::NotAMember,
                R"({"type":"error","code":"not_a_member","message":"Not a member of the room"})"},
            Row{RoomError::BadMessage,
                R"({"type":"error","code":"bad_message","message":"Bad message"})"},
            Row{RoomError::TooManyRooms,
                R"({"type":"error","code":"too_many_rooms","message":"Too many rooms"})"},
            Row{RoomError::Unavailable,
                R"({"type":"error","code":"unavailable","message":"Unavailable, try again later"})"},
            Row{RoomError::InvalidToken,
                R"({"type":"error","code":"invalid_token","message":"Invalid token"})"},
        }) {
      CHECK(error_answer(row.error, "", "", std::nullopt) == row.text);
    }
  }

  TEST_CASE("an error says which room, which message, and when to come back") {
    CHECK(error_answer(RoomError::AccessDenied, "r", "1", std::nullopt) ==
          R"({"type":"error","code":"access_denied","message":"Access denied","room":"r","id":1})");
    CHECK(
        error_answer(RoomError::RateLimited, "r", R"("x")", 250ms) ==
        R"({"type":"error","code":"rate_limited","message":"Rate limit exceeded","room":"r","id":"x","retry_after_ms":250})");
    CHECK(
        error_answer(RoomError::RateLimited, "", "", 0ms) ==
        R"({"type":"error","code":"rate_limited","message":"Rate limit exceeded","retry_after_ms":0})");
  }

  TEST_CASE("a message has its payload as it was written") {
    CHECK(room_message("r", "alice", R"({ "a" : 1.0 })") ==
          R"({"type":"message","room":"r","from":"alice","payload":{ "a" : 1.0 }})");
    CHECK(room_message("r", "", "null") == R"({"type":"message","room":"r","payload":null})");
    CHECK(room_message("r", "alice", "") == R"({"type":"message","room":"r","from":"alice"})");
  }

  TEST_CASE("quotes, backslashes and control characters are escaped, nothing else") {
    CHECK(joined_answer("\"", "") == R"({"type":"joined","room":"\""})");
    CHECK(joined_answer("\\", "") == R"({"type":"joined","room":"\\"})");
    CHECK(joined_answer("a\r\nb\x1f", "") == R"({"type":"joined","room":"a\u000d\u000ab\u001f"})");
    CHECK(joined_answer("\0"sv, "") == R"({"type":"joined","room":"\u0000"})");
    CHECK(joined_answer("/\x7f<é\xe2\x80\xa8😀", "") ==
          "{\"type\":\"joined\",\"room\":\"/\x7f<é\xe2\x80\xa8😀\"}");
    CHECK(room_message("a\"b\\", "x\"},", "1") ==
          R"({"type":"message","room":"a\"b\\","from":"x\"},","payload":1})");
  }

  TEST_CASE("another parser reads every character as it was") {
    for (char c = 1; c != 0; c = static_cast<char>((c + 1) & 0x7f)) {
      const std::string room = {'a', c, 'b', c};
      CAPTURE(int{c});
      CHECK(room_in(room_message(room, "x", "1")) == room);
    }
  }
}
