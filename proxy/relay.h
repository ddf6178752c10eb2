// Two WebSocket connections made into one: a client on this side, a backend on that. The relay
// carries frames, congestion and the closing handshake across; a Gate decides on what the client
// sends.
#pragma once

#include <memory>
#include <string_view>

#include "proxy/connection.h"

namespace proxy {

struct RelaySettings {
  ConnectionSettings client;
  ConnectionSettings backend;
};

class Relay final : private Connection::Observer {
 public:
  enum class Side : std::uint8_t { Client, Backend };

  class Gate {
   public:
    // Whether a data frame of the client's goes on; asked at its header.
    virtual Verdict admit(const FrameHeader& frame) = 0;
    // `told`: what the client was told by it. Not after our own close().
    virtual void on_ending(Side first, const Ending& ending, const Close& told) = 0;
    virtual void on_client_gone() = 0;  // its socket is closed; once
    virtual void on_gone() = 0;         // both are; once, and the last call

   protected:
    ~Gate() = default;
  };

  Relay(std::unique_ptr<Transport> client, std::unique_ptr<Transport> backend,
        const RelaySettings& settings, Timers& timers, Gate& gate)
      : gate_(gate),
        client_(std::move(client), Role::Server, settings.client, timers, *this),
        backend_(std::move(backend), Role::Client, settings.backend, timers, *this) {}

  // Octets that came behind a handshake, on either side, are read first. May call the gate.
  void start(std::string_view early_from_client, std::string_view early_from_backend);

  // Closes the client, and the backend with 1001.
  void close(StatusCode code, std::string_view reason);

  bool open() const { return client_.open(); }
  const Tally& tally(Side from) const { return of(from).received(); }

 private:
  Verdict admit(Connection& from, const FrameHeader& frame) override;
  void on_frames(Connection& from, std::span<const std::string_view> frames) override;
  void on_relieved(Connection& from) override;
  void on_ending(Connection& from, const Ending& ending) override;
  void on_gone(Connection& from) override;

  Side side(const Connection& c) const { return &c == &client_ ? Side::Client : Side::Backend; }
  Connection& peer_of(const Connection& c) { return &c == &client_ ? backend_ : client_; }
  const Connection& of(Side side) const { return side == Side::Client ? client_ : backend_; }

  Gate& gate_;
  Connection client_;
  Connection backend_;
  std::uint8_t gone_ = 0;
};

}  // namespace proxy
