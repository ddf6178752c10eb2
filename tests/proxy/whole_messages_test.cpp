// Connections whose messages are read as a whole before they go on.
#include <string>

#include <doctest/doctest.h>

#include "tests/proxy/relay_fixture.h"

using namespace std::chrono_literals;
using namespace std::string_literals;

namespace tests {

namespace {

using Verdict = proxy::Verdict;
using Strings = std::vector<std::string>;

proxy::RelaySettings whole() {
  auto settings = relay_settings();
  settings.client.whole_messages = settings.backend.whole_messages = true;
  return settings;
}

struct WholeFixture : RelayFixture {
  WholeFixture() : RelayFixture(whole()) {}

  void answer(Verdict verdict) {
    gate.judgement = [verdict](auto...) { return verdict; };
  }
  // What the backend got, as payloads.
  Strings at_backend_payloads() {
    Strings payloads;
    for (auto& frame : at_backend()) payloads.push_back(frame.payload);
    return payloads;
  }
};

const Verdict swallow{Verdict::Kind::Swallow};
const Verdict hold{Verdict::Kind::Hold, 100ms};
const Verdict hold_until_resumed{Verdict::Kind::Hold, Verdict::until_resumed};

}  // namespace

TEST_SUITE("whole messages") {
  TEST_CASE_FIXTURE(WholeFixture,
                    "a message is judged unmasked, and its frame goes on as it came") {
    auto frame = masked(0x81, "Hello");
    client->send(frame);
    CHECK(gate.judged == Strings{"tHello"});
    flushes.flush();
    CHECK(backend->received == frame);
  }

  TEST_CASE_FIXTURE(WholeFixture, "a backend's message is judged, too") {
    auto frame = unmasked(0x82, "\xff\x00"s);
    backend->send(frame);
    CHECK(gate.judged == Strings{"b\xff\x00"s});
    flushes.flush();
    CHECK(client->received == frame);
  }

  TEST_CASE_FIXTURE(WholeFixture, "small messages of one iteration go on in one write, in order") {
    client->send(masked(0x81, "one"));
    client->send(masked(0x81, "two"));
    CHECK(backend->writes == 0);
    flushes.flush();
    CHECK(backend->writes == 1);
    CHECK(at_backend_payloads() == Strings{"one", "two"});
  }

  TEST_CASE_FIXTURE(WholeFixture, "one that costs more to copy than to send goes on at once") {
    client->send(masked(0x81, "small"));
    client->send(masked(0x81, std::string(5'000, 'x')));
    CHECK(backend->writes == 2);
    CHECK(at_backend_payloads() == Strings{"small", std::string(5'000, 'x')});
  }

  TEST_CASE_FIXTURE(WholeFixture, "what a side said before its end reaches the other") {
    client->send(masked(0x81, "last"));
    client->vanish();
    REQUIRE(at_backend_payloads().size() == 2);  // and the Close
  }

  TEST_CASE_FIXTURE(WholeFixture, "nothing of a message goes on before all of it is here") {
    auto frame = masked(0x81, "Hello");
    for (char octet : frame.substr(0, frame.size() - 1)) client->send({&octet, 1});
    CHECK(gate.judged.empty());
    CHECK(backend->received.empty());
    client->send(frame.substr(frame.size() - 1));
    CHECK(gate.judged == Strings{"tHello"});
    CHECK(at_backend() == Frames{{0x81, true, "Hello"}});
  }

  TEST_CASE_FIXTURE(WholeFixture, "fragments are judged together and go on as one frame") {
    client->send(masked(0x01, "Hel") + masked(0x89, "ping") + masked(0x00, "") +
                 masked(0x80, "lo"));
    CHECK(gate.judged == Strings{"tHello"});
    CHECK(at_backend() == Frames{{0x81, true, "Hello"}});
    CHECK(at_client() == Frames{{0x8A, false, "ping"}});
  }

  TEST_CASE_FIXTURE(WholeFixture, "fragments of a backend go on as one frame that is not masked") {
    backend->send(unmasked(0x02, "Hel") + unmasked(0x80, "lo"));
    CHECK(at_client() == Frames{{0x82, false, "Hello"}});
  }

  TEST_CASE_FIXTURE(WholeFixture,
                    "a message that is not allowed reaches nobody, the next one does") {
    gate.judgement = [](auto, std::string_view text) { return text == "no" ? swallow : Verdict{}; };
    client->send(masked(0x81, "no") + masked(0x01, "n") + masked(0x80, "o") + masked(0x81, "yes"));
    CHECK(gate.judged == Strings{"tno", "tno", "tyes"});
    CHECK(at_backend_payloads() == Strings{"yes"});
  }

  TEST_CASE_FIXTURE(WholeFixture, "a message over the limit is refused before it is whole") {
    client->send(masked(0x01, std::string(90'000, 'x')) + masked(0x80, std::string(20'000, 'x')));
    CHECK(gate.judged.empty());
    CHECK(gate.end->close.code == proxy::StatusCode::MessageTooBig);
    CHECK(at_backend().size() == 1);  // the Close
  }

  TEST_CASE_FIXTURE(WholeFixture, "a message refused at its header is not judged") {
    gate.verdict = [](const proxy::FrameHeader& frame) {
      return frame.payload_octets == 3 ? swallow : Verdict{};
    };
    client->send(masked(0x81, "one") + masked(0x01, "two") + masked(0x80, "rest") +
                 masked(0x81, "four"));
    CHECK(gate.judged == Strings{"tfour"});
  }

  TEST_CASE_FIXTURE(WholeFixture, "one refused at a later fragment is dropped as a whole") {
    gate.verdict = [](const proxy::FrameHeader& frame) {
      return frame.payload_octets == 3 ? swallow : Verdict{};
    };
    client->send(masked(0x01, "go") + masked(0x00, "bad") + masked(0x80, "rest") +
                 masked(0x81, "next"));
    CHECK(gate.judged == Strings{"tnext"});
    CHECK(at_backend_payloads() == Strings{"next"});
  }

  TEST_CASE_FIXTURE(WholeFixture, "a verdict can end the connection; what passed before goes on") {
    gate.judgement = [](auto, std::string_view text) {
      if (text == "ok") return Verdict{};
      return Verdict{Verdict::Kind::Close, {}, proxy::StatusCode::PolicyViolation, "no"};
    };
    client->send(masked(0x81, "ok") + masked(0x81, "bad") + masked(0x81, "ok"));
    auto frames = at_backend();
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].payload == "ok");
    CHECK(frames[1].first == 0x88);
    CHECK(gate.end->cause == proxy::Ending::Cause::Refused);
    CHECK(gate.judged == Strings{"tok", "tbad"});
  }
}

TEST_SUITE("whole messages: held") {
  TEST_CASE_FIXTURE(WholeFixture, "one is asked about again after its time, in its place") {
    answer(hold);
    client->send(masked(0x81, "one") + masked(0x81, "two"));
    CHECK_FALSE(client->reading);
    pass(99ms);
    CHECK(gate.judged == Strings{"tone"});
    answer({});
    pass(1ms);
    CHECK(gate.judged == Strings{"tone", "tone", "ttwo"});
    CHECK(at_backend_payloads() == Strings{"one", "two"});
    CHECK(client->reading);
  }

  TEST_CASE_FIXTURE(WholeFixture, "one in fragments is asked about again as well") {
    answer(hold);
    client->send(masked(0x01, "on") + masked(0x80, "e") + masked(0x81, "two"));
    answer({});
    pass(100ms);
    CHECK(at_backend_payloads() == Strings{"one", "two"});
  }

  TEST_CASE_FIXTURE(WholeFixture, "its header is not charged again") {
    answer(hold);
    client->send(masked(0x81, "one"));
    answer({});
    pass(100ms);
    CHECK(gate.asked == std::vector<std::uint64_t>{3});
  }

  TEST_CASE_FIXTURE(WholeFixture, "one can wait until it is resumed, and not within the call") {
    answer(hold_until_resumed);
    client->send(masked(0x81, "one") + masked(0x81, "two"));
    pass(20s);
    CHECK(gate.judged.size() == 1);
    answer({});
    relay.resume();
    CHECK(gate.judged.size() == 1);
    pass(0ms);
    CHECK(at_backend_payloads() == Strings{"one", "two"});
  }

  TEST_CASE_FIXTURE(WholeFixture, "where nothing is held, to resume does nothing") {
    relay.resume();
    client->send(masked(0x81, "one"));
    relay.resume();
    pass(1ms);
    CHECK(gate.judged == Strings{"tone"});
  }

  TEST_CASE_FIXTURE(WholeFixture, "to resume does not shorten the wait of a frame") {
    gate.verdict = [](auto&) { return hold; };
    client->send(masked(0x81, "one"));
    relay.resume();
    pass(1ms);
    CHECK(gate.asked.size() == 1);
  }

  TEST_CASE_FIXTURE(WholeFixture, "a Close behind a held message is seen when the gateway closes") {
    answer(hold_until_resumed);
    client->send(masked(0x81, "one") + masked(0x88, close_body(1000)));
    relay.close(proxy::StatusCode::GoingAway, "bye");
    CHECK(client->finished);
    CHECK(gate.judged.size() == 1);
    backend->vanish();
    client->vanish();
    CHECK(gate.gone);
  }
}

TEST_SUITE("relay: no backend") {
  struct AloneFixture {
    proxy::Timers timers{proxy::Instant{}};
    proxy::FlushList flushes;
    std::shared_ptr<Peer> client = std::make_shared<Peer>();
    Gate gate;
    proxy::RelaySettings settings = whole();
    proxy::Relay relay{
        std::make_unique<FakeTransport>(client), nullptr, settings, timers, flushes, gate};

    AloneFixture() {
      gate.judgement = [](auto...) { return swallow; };
      relay.start({}, {});
    }
  };

  TEST_CASE_FIXTURE(AloneFixture, "messages are judged, and answered by the gateway alone") {
    client->send(masked(0x81, "Hello"));
    relay.tell(proxy::share(unmasked(0x81, "Hi")));
    flushes.flush();
    CHECK(gate.judged == Strings{"tHello"});
    CHECK(read_frames(client->read()) == Frames{{0x81, false, "Hi"}});
    CHECK(relay.tally(Side::Client).messages == 1);
    CHECK(relay.tally(Side::Backend).messages == 0);
  }

  TEST_CASE_FIXTURE(AloneFixture, "the client's Close is answered, and its end is the last call") {
    client->send(masked(0x88, close_body(1000)));
    CHECK(read_frames(client->read()) == Frames{{0x88, false, close_body(1000)}});
    CHECK(gate.first == Side::Client);
    client->vanish();
    CHECK(gate.client_gone);
    CHECK(gate.gone);
  }

  TEST_CASE_FIXTURE(AloneFixture, "a reader that was slow and is no more disturbs nobody") {
    client->takes_octets = false;
    relay.tell(proxy::share(unmasked(0x81, std::string(200, 'x'))));
    flushes.flush();
    client->take(client->unsent);
    CHECK(relay.open());
  }
}

}  // namespace tests
