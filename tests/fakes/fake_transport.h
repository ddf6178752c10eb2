// The test's end of a Transport. The peer is the test itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/transport.h"

namespace tests {

// What the peer sees and does; outlives the transport it was made with.
struct Peer {
  proxy::Transport::Observer* observer = nullptr;
  std::string received;    // all octets written to this peer
  std::size_t writes = 0;  // calls of write()
  std::size_t unsent = 0;
  bool takes_octets = true;  // false: a peer that does not read
  bool reading = false;      // false: we do not read from it
  bool finished = false;     // the stream to it was ended
  bool dropped = false;      // the transport was destroyed

  void send(std::string_view octets) { observer->on_octets(octets); }
  void vanish() { observer->on_gone(proxy::TransportError::Reset); }
  void take(std::size_t octets) {
    unsent -= octets;
    observer->on_sent();
  }
  std::string read() { return std::exchange(received, {}); }
};

class FakeTransport final : public proxy::Transport {
 public:
  explicit FakeTransport(std::shared_ptr<Peer> peer) : peer_(std::move(peer)) {}
  ~FakeTransport() override { peer_->dropped = true; }

  using Transport::write;
  void observe(Observer& observer) override { peer_->observer = &observer; }
  void write(std::span<const std::string_view> pieces) override {
    ++peer_->writes;
    for (auto piece : pieces) {
      peer_->received += piece;
      if (!peer_->takes_octets) peer_->unsent += piece.size();
    }
  }
  std::size_t unsent() const override { return peer_->unsent; }
  void set_reading(bool on) override { peer_->reading = on; }
  void finish() override { peer_->finished = true; }

 private:
  std::shared_ptr<Peer> peer_;
};

}  // namespace tests
