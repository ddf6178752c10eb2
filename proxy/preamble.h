// What stands before HTTP on a connection that was accepted: the header of the PROXY protocol,
// where a load balancer sends one, and the TLS handshake.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "proxy/proxy_protocol.h"
#include "proxy/tls.h"
#include "proxy/transport.h"

namespace proxy {

struct PreambleFailure {
  enum class Kind : std::uint8_t {
    Left,            // having said nothing
    BadProxyHeader,  // or none
    Tls,
  };
  Kind kind;
  std::string_view reason{};  // of Tls: TlsTransport::failure()
};

// It has no deadline: destroying it gives up, and drops the peer.
class Preamble final : private Transport::Observer, private TlsTransport::HandshakeObserver {
 public:
  class Observer {
   public:
    // `client`: whom the peer says that it speaks for; none: for itself. `early`: octets that came
    // behind the preamble, borrowed for the call. The last call, or:
    virtual void on_preamble(std::unique_ptr<Transport> transport, std::optional<IpAddress> client,
                             std::string_view early) = 0;
    virtual void on_preamble_failed(const PreambleFailure& why) = 0;  // the last call

   protected:
    ~Observer() = default;
  };

  // `proxied`: the PROXY protocol's header comes first, and the peer is one that may send it.
  // `tls` null: there is no TLS.
  Preamble(std::unique_ptr<Transport> transport, bool proxied,
           std::shared_ptr<const TlsServerContext> tls, TlsRoom room, Observer& observer);

  // What is awaited.
  enum class Stage : std::uint8_t { ProxyHeader, Tls };
  bool proxied() const { return proxied_; }
  Stage stage() const { return tls_ ? Stage::Tls : Stage::ProxyHeader; }

 private:
  void on_octets(std::string_view octets) override;
  void on_sent() override {}
  void on_gone(TransportError error) override;
  void on_secured() override;

  void begin_tls();

  Observer& observer_;
  const bool proxied_;
  std::shared_ptr<const TlsServerContext> context_;
  TlsRoom room_;
  ProxyHeaderParser header_;
  bool anything_received_ = false;
  std::unique_ptr<Transport> transport_;  // until there is tls_, which has it then
  std::unique_ptr<TlsTransport> tls_;
};

}  // namespace proxy
