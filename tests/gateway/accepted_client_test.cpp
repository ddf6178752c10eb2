#include "gateway/accepted_client.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/fakes/fake_transport.h"
#include "tests/fakes/frames.h"

using namespace std::chrono_literals;
using namespace std::string_literals;

namespace tests {

namespace {

// A client that is the test itself, and who waits for its first message.
class Fixture final : public gateway::AcceptedClient::Observer {
 public:
  explicit Fixture(bool listening = true) {
    gateway::AcceptedClient::Observer& observer = *this;
    accepted = std::make_unique<gateway::AcceptedClient>(std::make_unique<FakeTransport>(client),
                                                         listening, timers, flushes, observer);
    accepted->start({});
  }

  // The code of the Close that the client got last; 0: none.
  int code_at_client() {
    const auto frames = read_frames(client->read());
    if (frames.empty() || frames.back().first != 0x88) return 0;
    const auto& body = frames.back().payload;
    return static_cast<std::uint8_t>(body.at(0)) << 8 | static_cast<std::uint8_t>(body.at(1));
  }

  void pass(proxy::Duration time) {
    const auto now = timers.now();
    timers.advance_to({now.monotonic + time, now.wall + time});
  }

  std::shared_ptr<Peer> client = std::make_shared<Peer>();
  proxy::FlushList flushes;
  proxy::Timers timers{proxy::Instant{}};
  std::unique_ptr<gateway::AcceptedClient> accepted;
  std::vector<std::string> messages;
  std::optional<proxy::StatusCode> refusal;  // of its first message
  std::optional<proxy::Ending> ending;
  bool gone = false;

 private:
  void on_first_message(const proxy::Message& message) override {
    messages.push_back(std::string(message.opcode == proxy::Opcode::Text ? "t" : "b") +
                       std::string(message.payload));
    if (refusal) accepted->close(*refusal, "no");
  }
  void on_client_ending(const proxy::Ending& how) override { ending = how; }
  void on_client_gone() override { gone = true; }
};

// In `count` frames, the last of them empty where there are several.
std::string in_frames(std::size_t count, const std::string& text) {
  if (count == 1) return masked(0x81, text);
  auto frames = masked(0x01, text);
  for (std::size_t i = 2; i < count; ++i) frames += masked(0x00, "");
  return frames + masked(0x80, "");
}

}  // namespace

TEST_SUITE("a client that has its 101 and is no session") {
  TEST_CASE("is heard for one message, of whichever opcode, and is not read behind it") {
    for (int first : {0x81, 0x82}) {
      Fixture f;
      CHECK(f.client->reading);
      f.client->send(masked(first, "one"));
      CHECK(f.messages == std::vector{(first == 0x81 ? "t"s : "b"s) + "one"});
      CHECK_FALSE(f.client->reading);
    }
  }

  TEST_CASE("what it sends behind that message is kept as it came, and is somebody else's") {
    Fixture f;
    const auto behind =
        masked(0x81, "two") + masked(0x89, "p") + masked(0x81, "three").substr(0, 7);
    f.client->send(masked(0x89, "before") + masked(0x81, "one") + behind);
    CHECK(f.messages.size() == 1);
    f.accepted->tell("welcome");
    auto released = f.accepted->release();
    CHECK(released.unread == behind);
    CHECK(read_frames(f.client->read()) ==
          std::vector<ReadFrame>{{0x8A, false, "before"}, {0x81, false, "welcome"}});
    f.accepted.reset();
    f.pass(24h);
    CHECK_FALSE(f.client->dropped);
    CHECK_FALSE(f.ending);
    CHECK_FALSE(f.gone);
  }

  TEST_CASE("a message of 10 KiB is heard, one octet more is 1009") {
    Fixture f;
    f.client->send(masked(0x81, std::string(10'240, 'x')));
    CHECK(f.messages.size() == 1);
    Fixture g;
    g.client->send(masked(0x81, std::string(10'241, 'x')).substr(0, 20));
    CHECK(g.code_at_client() == 1009);
    CHECK(g.messages.empty());
    Fixture h;
    h.client->send(masked(0x01, std::string(10'000, 'x')) + masked(0x80, std::string(241, 'x')));
    CHECK(h.code_at_client() == 1009);
    CHECK(h.messages.empty());
  }

  TEST_CASE("a message of 8 frames is heard, one frame more is 1008") {
    Fixture f;
    f.client->send(in_frames(8, "one"));
    CHECK(f.messages == std::vector{"tone"s});
    Fixture g;
    g.client->send(in_frames(9, "one"));
    CHECK(g.code_at_client() == 1008);
    CHECK(g.messages.empty());
    CHECK(g.ending->close.code == proxy::StatusCode::PolicyViolation);
  }

  TEST_CASE("its pings are answered, also between the frames of its message") {
    Fixture f;
    f.client->send(masked(0x01, "o") + masked(0x89, "p") + masked(0x80, "ne"));
    CHECK(f.messages == std::vector{"tone"s});
    CHECK(read_frames(f.client->read()) == std::vector<ReadFrame>{{0x8A, false, "p"}});
  }

  TEST_CASE("SECURITY 1: what no client may send is the end, before anything is allocated for it") {
    struct Row {
      std::string octets;
      int code;
    };
    const auto head = [](std::string_view text) { return std::string(text); };
    for (const auto& [octets, code] : std::vector<Row>{
             {head({"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 14}), 1009},
             {head({"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 14}), 1002},
             {head("\xc1\x81"), 1002},
             {masked(0x89, std::string(126, 'p')), 1002},
             {unmasked(0x81, "one"), 1002},
             {masked(0x81, "\xff\xfe"), 1007}}) {
      Fixture f;
      f.client->send(octets);
      CHECK(f.code_at_client() == code);
      CHECK(f.messages.empty());
      CHECK(f.ending->cause == proxy::Ending::Cause::ProtocolError);
    }
  }

  TEST_CASE("refused for what it said, it gets its Close, and what it sends is dropped") {
    Fixture f;
    f.refusal = proxy::StatusCode(4401);
    f.client->send(masked(0x81, "one") + masked(0x81, "two"));
    CHECK(f.code_at_client() == 4401);
    CHECK_FALSE(f.ending);
    f.client->send(masked(0x81, "three") + masked(0x88, close_body(4401)));
    CHECK(f.messages.size() == 1);
    CHECK(f.client->finished);
    f.client->vanish();
    CHECK(f.gone);
  }

  TEST_CASE("sent away, it is listened to no more, and waited for 5 s at most") {
    Fixture f(false);
    f.client->send(masked(0x81, "one"));
    f.accepted->close(proxy::StatusCode(4403), "no");
    CHECK(f.messages.empty());
    CHECK(f.code_at_client() == 4403);
    f.pass(4'999ms);
    CHECK_FALSE(f.gone);
    f.pass(1ms);
    CHECK(f.gone);
    CHECK(f.client->dropped);
  }

  TEST_CASE("sent away, it gets that code though it has said more than a first message may be") {
    Fixture f(false);
    SUBCASE("longer") { f.client->send(masked(0x82, std::string(64 * 1024, 'x'))); }
    SUBCASE("in more frames") { f.client->send(in_frames(20, "x")); }
    f.accepted->close(proxy::StatusCode(1014), "no");
    CHECK(f.code_at_client() == 1014);
    CHECK_FALSE(f.ending);
  }

  TEST_CASE("one that closes or vanishes first is told of") {
    Fixture f;
    f.client->send(masked(0x88, close_body(1000)));
    CHECK(f.ending->cause == proxy::Ending::Cause::Closed);
    Fixture g;
    g.client->vanish();
    CHECK(g.ending->cause == proxy::Ending::Cause::Vanished);
    CHECK(g.gone);
  }
}

}  // namespace tests
