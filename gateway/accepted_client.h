// A client that has its 101 and is no session yet (CONTRACT section 3): it is heard for the one
// message that says who it is, or it is sent away with a Close. Nothing that it sends goes anywhere
// (SECURITY 1: no extension, one message of at most 10 KiB in at most 8 frames).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/connection.h"

namespace gateway {

class AcceptedClient final : private proxy::Connection::Observer {
 public:
  class Observer {
   public:
    // Its first message, while it is listened to. May call close().
    virtual void on_first_message(const proxy::Message& message) = 0;
    // It closed, vanished or broke the protocol; not after close().
    virtual void on_client_ending(const proxy::Ending& ending) = 0;
    virtual void on_client_gone() = 0;  // once, and the last call

   protected:
    ~Observer() = default;
  };

  // `listening`: a message is awaited; else what comes is dropped.
  AcceptedClient(std::unique_ptr<proxy::Transport> transport, bool listening, proxy::Timers& timers,
                 proxy::FlushList& flushes, Observer& observer);

  // Begins to read. `early`: octets that came behind the handshake. May call the observer.
  void start(std::string_view early) { connection_.start(early); }

  void tell(std::string_view json);
  void close(proxy::StatusCode code, std::string_view reason);

  // After its first message, but not within on_first_message(): the client, and what it sent behind
  // that message. The observer hears nothing more; to be destroyed.
  proxy::Connection::Released release() { return connection_.release(); }

 private:
  proxy::Verdict admit(proxy::Connection& from, const proxy::FrameHeader& frame) override;
  bool admit_all(proxy::Connection& from, const proxy::Tally& messages) override;
  proxy::Verdict judge(proxy::Connection& from, const proxy::Message& message) override;
  void on_frames(proxy::Connection& from, std::span<const std::string_view> frames) override;
  void on_relieved(proxy::Connection& from) override;
  void on_ending(proxy::Connection& from, const proxy::Ending& ending) override;
  void on_gone(proxy::Connection& from) override;

  Observer& observer_;
  const bool drops_;  // all that comes
  bool listening_;    // the first message is awaited
  proxy::Connection connection_;
};

}  // namespace gateway
