// Two WebSocket connections made into one: a client on this side, a backend on that, or nobody
// where the gateway itself answers. The relay carries frames, congestion and the closing handshake
// across; a Gate decides on what goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

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
    // Whether all of so many messages of the client's go on, each whole in one frame; no: admit()
    // is asked about each. Not where its settings say whole_messages.
    virtual bool admit_all(const Tally& messages) = 0;
    // Whether what the backend says may go on to the client; asked at the header of a data frame.
    // No: the message is dropped.
    virtual bool hears_backend() = 0;
    // Whether a message goes on, of a side whose settings say whole_messages.
    virtual Verdict judge(Side from, const Message& message) = 0;
    // `told`: what the client was told by it. Not after our own close().
    virtual void on_ending(Side first, const Ending& ending, const Close& told) = 0;
    virtual void on_client_gone() = 0;  // its socket is closed; once
    virtual void on_gone() = 0;         // both are; once, and the last call

   protected:
    ~Gate() = default;
  };

  // `backend` null: there is none, and nothing may be passed to it.
  Relay(std::unique_ptr<Transport> client, std::unique_ptr<Transport> backend,
        const RelaySettings& settings, Timers& timers, FlushList& flushes, Gate& gate);

  // Octets that came behind a handshake, on either side, are read first. May call the gate.
  void start(std::string_view early_from_client, std::string_view early_from_backend);

  // A whole frame for the client, of the gateway's own; see Connection::queue().
  void tell(SharedOctets frame) { client_.queue(std::move(frame)); }

  // The same for the backend, which there is. What the client's held message has before it has been
  // handed over by the time that it is judged again.
  void tell_backend(SharedOctets frame) { backend_->queue(std::move(frame)); }

  // A client's message that was held until_resumed is judged again, soon.
  void resume() { client_.resume(); }

  // Connection::adopt() for both.
  void adopt(const RelaySettings& settings);

  // Closes the client, and the backend with 1001.
  void close(StatusCode code, std::string_view reason);

  bool open() const { return client_.open(); }
  Tally tally(Side from) const;

 private:
  Verdict admit(Connection& from, const FrameHeader& frame) override;
  bool admit_all(Connection& from, const Tally& messages) override;
  Verdict judge(Connection& from, const Message& message) override;
  void on_frames(Connection& from, std::span<const std::string_view> frames) override;
  void on_relieved(Connection& from) override;
  void on_ending(Connection& from, const Ending& ending) override;
  void on_gone(Connection& from) override;

  Side side(const Connection& c) const { return &c == &client_ ? Side::Client : Side::Backend; }
  // Null: a client's, where there is no backend.
  Connection* peer_of(const Connection& c) { return &c == &client_ ? backend_.get() : &client_; }

  Gate& gate_;
  Connection client_;
  std::unique_ptr<Connection> backend_;
  std::uint8_t left_;  // sides that are not gone
};

}  // namespace proxy
