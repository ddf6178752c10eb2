// An ordered stream of octets to one peer: TCP, TLS over TCP, or a FakeTransport in a test.
//
// A call down never calls up: write(), set_reading() and finish() never invoke the observer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace proxy {

enum class TransportError : std::uint8_t {
  PeerClosed,  // the peer ended the stream
  Reset,       // it broke
  Refused,     // it was never connected
  Insecure,    // the TLS handshake with it failed: TlsTransport::failure() says why
};

class Transport {
 public:
  class Observer {
   public:
    virtual void on_octets(std::string_view octets) = 0;  // borrowed for the call
    virtual void on_sent() = 0;                           // unsent() went down
    virtual void on_gone(TransportError error) = 0;       // once, and the last call

   protected:
    ~Observer() = default;
  };

  // Drops the peer; no call to the observer follows. Also from within such a call.
  virtual ~Transport() = default;

  // From now on `observer` is called. May be called again to hand the stream to another owner.
  virtual void observe(Observer& observer) = 0;

  // Writes the pieces in order, in as few system calls as can be. Borrowed for the call: what the
  // kernel does not take at once is copied. Never blocks, never fails: see on_gone().
  virtual void write(std::span<const std::string_view> pieces) = 0;
  void write(std::string_view octets) { write({&octets, 1}); }

  virtual std::size_t unsent() const = 0;  // octets written but not yet taken by the kernel
  virtual void set_reading(bool on) = 0;   // off at first
  virtual void finish() = 0;               // send what is unsent, then end the stream (TCP FIN)
};

}  // namespace proxy
