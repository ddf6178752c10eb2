// What a client reads from and writes to: a socket, or TLS 1.3 over one, as cheaply as the load
// can.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <openssl/ssl.h>
#include <sys/types.h>

#include "tests/bench/sockets.h"

namespace tests::bench {

// One cipher suite (AES-128-GCM) and one group (X25519), so that all contestants do the same work.
// No session is resumed and no certificate is checked: neither is the load's business.
class TlsSettings {
 public:
  TlsSettings();
  SSL_CTX* context() const { return context_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
};

class Stream {
 public:
  Stream() = default;
  // `tls` may be null, and outlives it otherwise. TLS's handshake is part of the first sends.
  Stream(Descriptor socket, const TlsSettings* tls);

  int number() const { return socket_.number(); }
  bool open() const { return socket_.open(); }

  // As send(2) and recv(2) of a non-blocking socket, errno included.
  ssize_t send(std::span<const std::uint8_t> octets);
  ssize_t receive(std::span<std::uint8_t> into);

  // What was not sent waits for the peer's part of TLS's handshake, not for room in the socket.
  bool sends_after_reading() const { return sends_after_reading_; }
  // There is more than the last receive() took, which no event will tell.
  bool has_more() const { return tls_ && SSL_pending(tls_.get()) > 0; }

  void reset();

 private:
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  ssize_t result_of(int outcome, int octets);

  Descriptor socket_;
  std::unique_ptr<SSL, Free> tls_;
  bool sends_after_reading_ = false;
};

}  // namespace tests::bench
