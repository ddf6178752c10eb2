// A relay between a client and a backend that are the test itself.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/relay.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/frames.h"

namespace tests {

using Side = proxy::Relay::Side;
using Cause = proxy::Ending::Cause;
using Frames = std::vector<ReadFrame>;

struct Gate final : proxy::Relay::Gate {
  std::function<proxy::Verdict(const proxy::FrameHeader&)> verdict = [](auto&) {
    return proxy::Verdict{};
  };
  std::vector<std::uint64_t> asked;  // payload octets of each frame asked about
  bool all_pass = false;
  std::optional<proxy::Tally> asked_at_once;
  std::optional<Side> first;
  std::optional<proxy::Ending> end;
  int told = 0;
  bool client_gone = false;
  bool gone = false;
  bool hears = true;

  // Of messages, where the settings say that they are read whole.
  std::function<proxy::Verdict(Side, std::string_view)> judgement = [](auto...) {
    return proxy::Verdict{};
  };
  std::vector<std::string> judged;  // a letter for the opcode, then the payload

  proxy::Verdict judge(Side from, const proxy::Message& message) override {
    judged.push_back((message.opcode == proxy::Opcode::Text ? "t" : "b") +
                     std::string(message.payload));
    return judgement(from, message.payload);
  }
  proxy::Verdict admit(const proxy::FrameHeader& frame) override {
    asked.push_back(frame.payload_octets);
    return verdict(frame);
  }
  bool admit_all(const proxy::Tally& messages) override {
    asked_at_once = messages;
    return all_pass;
  }
  bool hears_backend() override { return hears; }
  void on_ending(Side side, const proxy::Ending& ending, const proxy::Close& close) override {
    CHECK_FALSE(end);
    first = side;
    end = ending;
    told = static_cast<int>(close.code);
  }
  void on_client_gone() override { client_gone = true; }
  void on_gone() override {
    CHECK_FALSE(gone);
    gone = true;
  }
};

inline proxy::RelaySettings relay_settings() {
  proxy::ConnectionSettings shared;
  shared.unsent_octets_high = 100;
  shared.unsent_octets_low = 50;
  proxy::RelaySettings both{shared, shared};
  both.client.reader.message_octets_max = 100'000;
  both.client.no_pong_code = static_cast<proxy::StatusCode>(4408);
  both.backend.control_frames_per_second_max = 0;
  return both;
}

struct RelayFixture {
  proxy::Timers timers{proxy::Instant{}};
  proxy::FlushList flushes;
  std::shared_ptr<Peer> client = std::make_shared<Peer>();
  std::shared_ptr<Peer> backend = std::make_shared<Peer>();
  Gate gate;
  proxy::RelaySettings settings;
  proxy::Relay relay{std::make_unique<FakeTransport>(client),
                     std::make_unique<FakeTransport>(backend),
                     settings,
                     timers,
                     flushes,
                     gate};

  explicit RelayFixture(const proxy::RelaySettings& wanted = relay_settings()) : settings(wanted) {
    relay.start({}, {});
  }

  void pass(proxy::Duration time) {
    auto now = timers.now();
    timers.advance_to({now.monotonic + time, now.wall + time});
  }
  // What each got by the end of the iteration.
  Frames at_client() { return at(*client); }
  Frames at_backend() { return at(*backend); }

 private:
  Frames at(Peer& peer) {
    flushes.flush();
    return read_frames(peer.read());
  }
};

}  // namespace tests
