#include "proxy/relay.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/proxy/relay_fixture.h"

using namespace std::chrono_literals;
using namespace std::string_literals;

namespace tests {

namespace {

ReadFrame close_frame(bool is_masked, unsigned code, std::string_view reason = {}) {
  return {0x88, is_masked, close_body(code, reason)};
}
int code_of(const ReadFrame& frame) {
  auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(frame.payload.at(i)); };
  return octet(0) << 8 | octet(1);
}

}  // namespace

TEST_SUITE("relay: frames") {
  TEST_CASE_FIXTURE(RelayFixture, "a client's frame reaches the backend as it came") {
    auto frame = masked(0x81, "Hello");
    client->send(frame);
    CHECK(backend->received == frame);
  }

  TEST_CASE_FIXTURE(RelayFixture, "a backend's frame reaches the client as it came") {
    auto frame = unmasked(0x82, "\xff\x00"s);
    backend->send(frame);
    CHECK(client->received == frame);
  }

  TEST_CASE_FIXTURE(RelayFixture, "all whole frames of one read go on in one write") {
    auto frames = masked(0x81, "a") + masked(0x82, "b") + masked(0x81, std::string(300, 'c'));
    client->send(frames);
    CHECK(backend->received == frames);
    CHECK(backend->writes == 1);
  }

  TEST_CASE_FIXTURE(RelayFixture, "what lies between control frames goes on in order, and whole") {
    std::string octets;
    Frames expected;
    for (int i = 0; i < 50; ++i) {
      auto payload = std::to_string(i);
      octets += unmasked(0x81, payload) + unmasked(0x89, "?");
      expected.push_back({0x81, false, payload});
    }
    backend->send(octets);
    CHECK(at_client() == expected);
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "octet by octet, the message is the same and every write is whole frames") {
    std::string message;
    for (char octet : masked(0x81, "Hello")) {
      client->send({&octet, 1});
      for (auto& frame : at_backend()) {
        CHECK(frame.first != -1);
        CHECK((frame.first & 0x7F) == (message.empty() ? 0x01 : 0x00));
        message += frame.payload;
        CHECK(bool(frame.first & 0x80) == (message.size() == 5));
      }
    }
    CHECK(message == "Hello");
  }

  TEST_CASE_FIXTURE(RelayFixture, "a frame cut anywhere gives the same message") {
    auto payload = std::string(200, 'x') + "κόσμε" + std::string(70'000, 'y');
    for (std::size_t cut : {1, 2, 9, 13, 14, 15, 16, 17, 18, 100, 215, 217, 65'000}) {
      auto frame = masked(0x81, payload);
      client->send(std::string_view(frame).substr(0, cut));
      client->send(std::string_view(frame).substr(cut));
      std::string message;
      auto frames = at_backend();
      for (auto& piece : frames) message += piece.payload;
      CHECK(message == payload);
      CHECK((frames.back().first & 0x80) == 0x80);
    }
    CHECK_FALSE(gate.end);
  }

  TEST_CASE_FIXTURE(RelayFixture, "octets that came behind both handshakes are not lost") {
    auto early_client = std::make_shared<Peer>();
    auto early_backend = std::make_shared<Peer>();
    Gate early_gate;
    proxy::Relay early(std::make_unique<FakeTransport>(early_client),
                       std::make_unique<FakeTransport>(early_backend), settings, timers, flushes,
                       early_gate);
    early.start(masked(0x81, "from client"), unmasked(0x81, "from backend"));
    CHECK(read_frames(early_backend->received).at(0).payload == "from client");
    CHECK(read_frames(early_client->received).at(0).payload == "from backend");
  }

  TEST_CASE_FIXTURE(RelayFixture, "messages and octets that passed are counted") {
    client->send(masked(0x01, "Hel") + masked(0x80, "lo") + masked(0x82, "xy"));
    backend->send(unmasked(0x81, "one"));
    CHECK(relay.tally(Side::Client).messages == 2);
    CHECK(relay.tally(Side::Client).octets == 7);
    CHECK(relay.tally(Side::Backend).messages == 1);
    CHECK(relay.tally(Side::Backend).octets == 3);
  }

  TEST_CASE("what passes on all connections of a route is counted by side, while they are open") {
    proxy::TrafficCounters from_client;
    proxy::TrafficCounters from_backend;
    auto settings = relay_settings();
    settings.client.traffic = &from_client;
    settings.backend.traffic = &from_backend;
    RelayFixture one(settings);
    RelayFixture other(settings);
    one.gate.all_pass = true;
    one.client->send(masked(0x81, "at") + masked(0x81, "once"));
    one.client->send(masked(0x01, "Hel"));
    CHECK(from_client.messages.value() == 2);
    CHECK(from_client.octets.value() == 9);
    one.client->send(masked(0x80, "lo"));
    other.client->send(masked(0x82, "xy"));
    other.backend->send(unmasked(0x81, "one"));
    CHECK(from_client.messages.value() == 4);
    CHECK(from_client.octets.value() == 13);
    CHECK(from_backend.messages.value() == 1);
    CHECK(from_backend.octets.value() == 3);
  }

  TEST_CASE("what is swallowed is not among what passes") {
    proxy::TrafficCounters from_client;
    auto settings = relay_settings();
    settings.client.traffic = &from_client;
    RelayFixture f(settings);
    f.gate.verdict = [](auto&) -> proxy::Verdict { return {proxy::Verdict::Kind::Swallow}; };
    f.client->send(masked(0x81, "one") + masked(0x01, "in ") + masked(0x80, "parts"));
    CHECK(from_client.messages.value() == 0);
    CHECK(from_client.octets.value() == 0);
  }
}

TEST_SUITE("relay: the gate") {
  TEST_CASE_FIXTURE(RelayFixture, "a message that is swallowed goes nowhere, the next one passes") {
    gate.verdict = [](auto& frame) -> proxy::Verdict {
      return {frame.payload_octets == 3 ? proxy::Verdict::Kind::Swallow
                                        : proxy::Verdict::Kind::Pass};
    };
    client->send(masked(0x01, "bad") + masked(0x80, " more") + masked(0x81, "good"));
    CHECK(at_backend() == Frames{{0x81, true, "good"}});
    CHECK(gate.asked == std::vector<std::uint64_t>{3, 4});
    CHECK(relay.tally(Side::Client).messages == 1);
  }

  TEST_CASE_FIXTURE(RelayFixture, "a message that is held stops the reading and loses nothing") {
    int refusals = 2;
    gate.verdict = [&](auto&) -> proxy::Verdict {
      if (refusals-- > 0) return {proxy::Verdict::Kind::Hold, 100ms};
      return {};
    };
    client->send(masked(0x81, "one") + masked(0x81, "two"));
    CHECK(backend->received.empty());
    CHECK_FALSE(client->reading);
    pass(100ms);
    CHECK(backend->received.empty());
    CHECK_FALSE(client->reading);
    pass(100ms);
    CHECK(at_backend() == Frames{{0x81, true, "one"}, {0x81, true, "two"}});
    CHECK(client->reading);
  }

  TEST_CASE_FIXTURE(RelayFixture, "messages of one read that may all pass are asked about once") {
    gate.all_pass = true;
    client->send(masked(0x81, "one") + masked(0x82, "three") + masked(0x89, "?"));
    CHECK(at_backend() == Frames{{0x81, true, "one"}, {0x82, true, "three"}});
    CHECK(gate.asked_at_once->messages == 2);
    CHECK(gate.asked_at_once->octets == 8);
    CHECK(gate.asked.empty());
    CHECK(relay.tally(Side::Client).messages == 2);
    CHECK(relay.tally(Side::Client).octets == 8);
  }

  TEST_CASE_FIXTURE(RelayFixture, "a single message is asked about by its header") {
    gate.all_pass = true;
    client->send(masked(0x81, "one") + masked(0x01, "begins"));
    CHECK(gate.asked == std::vector<std::uint64_t>{3, 6});
    CHECK_FALSE(gate.asked_at_once);
  }

  TEST_CASE_FIXTURE(RelayFixture, "messages that may not all pass are asked about one by one") {
    gate.verdict = [](auto& frame) -> proxy::Verdict {
      if (frame.payload_octets == 3) return {proxy::Verdict::Kind::Swallow};
      if (frame.payload_octets == 4) return {proxy::Verdict::Kind::Hold, 100ms};
      return {};
    };
    client->send(masked(0x81, "a") + masked(0x81, "bad") + masked(0x82, "bb") +
                 masked(0x82, "held") + masked(0x82, "behind") + masked(0x89, "?"));
    CHECK(gate.asked == std::vector<std::uint64_t>{1, 3, 2, 4});
    CHECK(at_backend() == Frames{{0x81, true, "a"}, {0x82, true, "bb"}});
    gate.verdict = [](auto&) { return proxy::Verdict{}; };
    pass(100ms);
    CHECK(at_backend() == Frames{{0x82, true, "held"}, {0x82, true, "behind"}});
    CHECK(at_client() == Frames{{0x8A, false, "?"}});
    CHECK(relay.tally(Side::Client).messages == 4);
    CHECK(relay.tally(Side::Client).octets == 13);
  }

  TEST_CASE_FIXTURE(RelayFixture, "of a backend's messages the gate is not asked") {
    backend->send(unmasked(0x81, "one") + unmasked(0x82, "two"));
    CHECK(at_client() == Frames{{0x81, false, "one"}, {0x82, false, "two"}});
    CHECK(gate.asked.empty());
    CHECK_FALSE(gate.asked_at_once);
  }

  TEST_CASE_FIXTURE(RelayFixture, "what passed before a verdict to close still goes on") {
    gate.verdict = [](auto& frame) -> proxy::Verdict {
      if (frame.payload_octets < 5) return {};
      return {proxy::Verdict::Kind::Close, {}, proxy::StatusCode::PolicyViolation, "limit"};
    };
    client->send(masked(0x81, "ok") + masked(0x81, "too much") + masked(0x81, "no"));
    CHECK(at_backend() == Frames{{0x81, true, "ok"}, close_frame(true, 1001)});
    CHECK(at_client() == Frames{close_frame(false, 1008, "limit")});
    CHECK(gate.end->cause == Cause::Refused);
    CHECK(gate.told == 1008);
  }

  TEST_CASE_FIXTURE(RelayFixture, "a held client that is closed is read again, for its answer") {
    gate.verdict = [](auto&) -> proxy::Verdict { return {proxy::Verdict::Kind::Hold, 1h}; };
    client->send(masked(0x81, "one"));
    relay.close(proxy::StatusCode::ServiceRestart, "");
    CHECK(client->reading);
    client->send(masked(0x88, close_body(1012)));
    CHECK(client->finished);
    pass(2h);
    CHECK(gate.asked.size() == 1);
  }
}

TEST_SUITE("relay: limits of the protocol") {
  TEST_CASE_FIXTURE(RelayFixture,
                    "a message over the limit is 1009 to the client and 1001 to the backend") {
    client->send(masked(0x82, std::string(100'001, 'x')));
    CHECK(at_client() == Frames{close_frame(false, 1009)});
    CHECK(at_backend() == Frames{close_frame(true, 1001)});
    CHECK(client->finished);
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "text that turns out invalid after its first piece is never finished") {
    auto frame = masked(0x81, std::string(100, 'x') + "\xff" + std::string(100, 'x'));
    client->send(std::string_view(frame).substr(0, 50));
    client->send(std::string_view(frame).substr(50));
    auto frames = at_backend();
    CHECK(frames.at(0).first == 0x01);
    CHECK(frames.back() == close_frame(true, 1001));
    for (std::size_t i = 0; i + 1 < frames.size(); ++i) CHECK((frames[i].first & 0x80) == 0);
    CHECK(at_client() == Frames{close_frame(false, 1007)});
  }

  TEST_CASE_FIXTURE(RelayFixture, "100 control frames a second pass, the next is 1008") {
    for (int i = 0; i < 100; ++i) client->send(masked(0x8A, ""));
    CHECK_FALSE(gate.end);
    pass(1s);
    for (int i = 0; i < 100; ++i) client->send(masked(0x8A, ""));
    CHECK_FALSE(gate.end);
    client->send(masked(0x8A, ""));
    CHECK(code_of(at_client().back()) == 1008);
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "a backend's protocol error is 1002 to it and 1014 to the client") {
    backend->send(masked(0x81, "a server does not mask"));
    CHECK(code_of(at_backend().at(0)) == 1002);
    CHECK(code_of(at_client().at(0)) == 1014);
  }
}

TEST_SUITE("RFC 6455 section 5.5: control frames stay on their hop") {
  TEST_CASE_FIXTURE(RelayFixture, "a ping is answered by this hop and not forwarded") {
    client->send(masked(0x89, "?"));
    CHECK(at_client() == Frames{{0x8A, false, "?"}});
    backend->send(unmasked(0x89, "!"));
    CHECK(at_backend() == Frames{{0x8A, true, "!"}});
  }

  TEST_CASE_FIXTURE(RelayFixture, "of many pings in one read only the newest is answered") {
    client->send(masked(0x89, "1") + masked(0x89, "2") + masked(0x89, "3"));
    CHECK(at_client() == Frames{{0x8A, false, "3"}});
  }

  TEST_CASE_FIXTURE(RelayFixture, "a peer that does not read gets one pong, when it reads again") {
    client->takes_octets = false;
    backend->send(unmasked(0x82, std::string(120, 'x')));
    client->read();
    for (int i = 0; i < 50; ++i) client->send(masked(0x89, std::to_string(i)));
    CHECK(client->received.empty());
    client->take(client->unsent);
    CHECK(at_client() == Frames{{0x8A, false, "49"}});
  }

  TEST_CASE_FIXTURE(
      RelayFixture,
      "a sender that stalls inside a frame still gets its ping, and so does the other side") {
    auto frame = masked(0x82, std::string(1000, 'x'));
    client->send(std::string_view(frame).substr(0, 500));
    backend->read();
    pass(25s);
    CHECK(at_client() == Frames{{0x89, false, ""}});
    CHECK(at_backend() == Frames{{0x89, true, ""}});
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "a close reaches both sides of a sender that stalls inside a frame") {
    auto frame = masked(0x82, std::string(1000, 'x'));
    client->send(std::string_view(frame).substr(0, 500));
    relay.close(static_cast<proxy::StatusCode>(4401), "token ended");
    CHECK(at_client() == Frames{close_frame(false, 4401, "token ended")});
    auto frames = at_backend();
    CHECK(frames.size() == 2);
    CHECK(frames.back() == close_frame(true, 1001));
  }
}

TEST_SUITE("heartbeat") {
  TEST_CASE_FIXTURE(RelayFixture,
                    "a client without a pong is closed with 4408, its backend with 1001") {
    pass(25s);
    backend->send(unmasked(0x8A, ""));
    client->read();
    backend->read();
    pass(9s);
    CHECK_FALSE(gate.end);
    pass(1s);
    CHECK(code_of(at_client().at(0)) == 4408);
    CHECK(at_backend() == Frames{close_frame(true, 1001)});
    CHECK(gate.end->cause == Cause::NoPong);
  }

  TEST_CASE_FIXTURE(RelayFixture, "a backend without a pong is 1014 to the client") {
    pass(25s);
    client->send(masked(0x8A, ""));
    client->read();
    pass(10s);
    CHECK(code_of(at_client().at(0)) == 1014);
    CHECK(gate.first == Side::Backend);
  }

  TEST_CASE_FIXTURE(RelayFixture, "pongs keep both") {
    for (int i = 0; i < 10; ++i) {
      pass(25s);
      client->send(masked(0x8A, ""));
      backend->send(unmasked(0x8A, ""));
    }
    CHECK_FALSE(gate.end);
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "a backend that is not being read is not blamed for its silence") {
    client->takes_octets = false;
    backend->send(unmasked(0x82, std::string(120, 'x')));
    CHECK_FALSE(backend->reading);
    for (int i = 0; i < 20; ++i) {
      pass(5s);
      client->take(1);  // slow, but alive
    }
    CHECK_FALSE(gate.end);
  }
}

TEST_SUITE("slow readers") {
  TEST_CASE_FIXTURE(RelayFixture,
                    "a slow client stops the backend being read, until half is taken") {
    client->takes_octets = false;
    backend->send(unmasked(0x82, std::string(98, 'x')));
    CHECK_FALSE(backend->reading);
    client->take(49);
    CHECK_FALSE(backend->reading);
    client->take(1);
    CHECK(backend->reading);
  }

  TEST_CASE_FIXTURE(RelayFixture, "a slow backend stops the client being read") {
    backend->takes_octets = false;
    client->send(masked(0x82, std::string(98, 'x')));
    CHECK_FALSE(client->reading);
    backend->take(backend->unsent);
    CHECK(client->reading);
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "a client that takes nothing for stall_timeout is 1013, its backend 1001") {
    client->takes_octets = false;
    backend->send(unmasked(0x82, "x"));
    client->read();
    for (int i = 0; i < 4; ++i) {
      CHECK_FALSE(gate.end);
      pass(7500ms);
      backend->send(unmasked(0x8A, ""));
    }
    REQUIRE(gate.end);
    CHECK(gate.end->cause == Cause::Stalled);
    CHECK(code_of(at_client().back()) == 1013);
    CHECK(code_of(at_backend().back()) == 1001);
    pass(5s);
    CHECK(client->dropped);
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "what is written to a client, and longer over TLS, is no progress of it") {
    client->takes_octets = false;
    backend->send(unmasked(0x82, "x"));
    for (int i = 0; i < 4; ++i) {
      CHECK_FALSE(gate.end);
      pass(7500ms);
      backend->send(unmasked(0x82, "x"));
      client->unsent += 22;  // of a record
    }
    REQUIRE(gate.end);
    CHECK(gate.end->cause == Cause::Stalled);
  }

  TEST_CASE_FIXTURE(RelayFixture, "a client that takes an octet now and then is not stalled") {
    client->takes_octets = false;
    backend->send(unmasked(0x82, std::string(50, 'x')));
    for (int i = 0; i < 40; ++i) {
      pass(20s);
      client->send(masked(0x8A, ""));
      backend->send(unmasked(0x8A, ""));
      client->take(1);
    }
    CHECK_FALSE(gate.end);
  }
}

TEST_SUITE("RFC 6455 section 7: the closing handshake") {
  TEST_CASE_FIXTURE(RelayFixture,
                    "every code that may pass crosses both ways with its reason, no other does") {
    for (unsigned code = 0; code <= 5000; ++code) {
      bool may_pass = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                      (code >= 3000 && code <= 4999);
      CHECK(proxy::passes(static_cast<std::uint16_t>(code)) == may_pass);
      RelayFixture from_client;
      from_client.client->send(masked(0x88, close_body(code, "bye")));
      CHECK(from_client.at_client().at(0) ==
            (may_pass ? close_frame(false, code, "bye") : close_frame(false, 1002)));
      CHECK(from_client.at_backend().at(0) ==
            (may_pass ? close_frame(true, code, "bye") : close_frame(true, 1001)));
      RelayFixture from_backend;
      from_backend.backend->send(unmasked(0x88, close_body(code, "bye")));
      CHECK(from_backend.at_backend().at(0) ==
            (may_pass ? close_frame(true, code, "bye") : close_frame(true, 1002)));
      CHECK(code_of(from_backend.at_client().at(0)) == static_cast<int>(may_pass ? code : 1014));
    }
  }

  TEST_CASE_FIXTURE(RelayFixture, "a Close without a code crosses without one") {
    client->send(masked(0x88, ""));
    CHECK(at_client() == Frames{{0x88, false, ""}});
    CHECK(at_backend() == Frames{{0x88, true, ""}});
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "a body of one octet is 1002, a reason that is not UTF-8 is 1007") {
    client->send(masked(0x88, "\x03"));
    CHECK(at_client() == Frames{close_frame(false, 1002)});
    RelayFixture other;
    other.client->send(masked(0x88, close_body(1000, "\xff")));
    CHECK(other.at_client() == Frames{close_frame(false, 1007)});
  }

  TEST_CASE_FIXTURE(RelayFixture, "a reason of 123 octets crosses whole") {
    std::string reason(123, 'r');
    backend->send(unmasked(0x88, close_body(3000, reason)));
    CHECK(at_client() == Frames{close_frame(false, 3000, reason)});
  }

  TEST_CASE_FIXTURE(RelayFixture, "a client that vanishes is 1001 to the backend") {
    client->vanish();
    CHECK(at_backend() == Frames{close_frame(true, 1001)});
    CHECK(gate.client_gone);
    CHECK(client->dropped);
    CHECK_FALSE(gate.gone);
    backend->vanish();
    CHECK(gate.gone);
  }

  TEST_CASE_FIXTURE(RelayFixture, "a backend that vanishes is 1014 to the client") {
    backend->vanish();
    CHECK(code_of(at_client().at(0)) == 1014);
    CHECK(gate.end->cause == Cause::Vanished);
    CHECK(gate.told == 1014);
  }

  TEST_CASE_FIXTURE(RelayFixture, "the server's side ends the stream, the client's waits for it") {
    client->send(masked(0x88, close_body(1000)));
    CHECK(client->finished);
    backend->send(unmasked(0x88, close_body(1000)));
    CHECK_FALSE(backend->finished);
    backend->vanish();
    client->vanish();
    CHECK(gate.gone);
  }

  TEST_CASE_FIXTURE(RelayFixture, "the answering Close is awaited for 5 s, no longer") {
    relay.close(proxy::StatusCode::ServiceRestart, "draining");
    CHECK(at_client() == Frames{close_frame(false, 1012, "draining")});
    pass(4999ms);
    CHECK_FALSE(gate.gone);
    pass(1ms);
    CHECK(gate.gone);
    CHECK_FALSE(gate.end);
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "nothing is sent behind a Close, and nothing that comes is passed on") {
    relay.close(proxy::StatusCode::ServiceRestart, "");
    client->read();
    backend->read();
    client->send(masked(0x81, "late") + masked(0x89, "?"));
    backend->send(unmasked(0x81, "late"));
    CHECK(client->received.empty());
    CHECK(backend->received.empty());
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "a reader that is slow, but reads, still gets all before the Close") {
    client->takes_octets = false;
    backend->send(unmasked(0x82, std::string(98, 'x')) + unmasked(0x88, close_body(1000)));
    for (int i = 0; i < 8; ++i) {
      pass(4s);
      CHECK_FALSE(client->dropped);
      client->take(10);
    }
    client->take(client->unsent);
    pass(4s);
    CHECK_FALSE(client->dropped);
    pass(1s);
    CHECK(client->dropped);
  }

  TEST_CASE_FIXTURE(RelayFixture,
                    "a client that may not hear its backend gets none of its messages") {
    backend->send(unmasked(0x81, "a"));
    gate.hears = false;
    backend->send(unmasked(0x81, "b") + unmasked(0x01, "c"));
    backend->send(unmasked(0x80, "d"));
    gate.hears = true;
    backend->send(unmasked(0x81, "e") + unmasked(0x81, "f"));
    const auto frames = at_client();
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].payload == "a");
    CHECK(frames[1].payload == "e");
    CHECK(frames[2].payload == "f");
  }

  TEST_CASE_FIXTURE(RelayFixture, "other settings hold from the next message on") {
    auto narrow = settings;
    narrow.client.reader.message_octets_max = 3;
    client->send(masked(0x81, "long enough"));
    relay.adopt(narrow);
    client->send(masked(0x81, "abc"));
    CHECK(at_backend().size() == 2);
    client->send(masked(0x81, "abcd"));
    REQUIRE(gate.end);
    CHECK(static_cast<int>(gate.end->close.code) == 1009);
    relay.adopt(settings);  // which outlive it
  }
}

}  // namespace tests
