#include "proxy/preamble.h"

#include <utility>

namespace proxy {

Preamble::Preamble(std::unique_ptr<Transport> transport, bool proxied,
                   std::shared_ptr<const TlsServerContext> tls, TlsRoom room, Observer& observer)
    : observer_(observer),
      proxied_(proxied),
      context_(std::move(tls)),
      room_(room),
      transport_(std::move(transport)) {
  if (!proxied_) {
    begin_tls();
  } else {
    transport_->observe(*this);
    transport_->set_reading(true);
  }
}

void Preamble::begin_tls() {
  tls_ = TlsTransport::accept(std::move(transport_), std::move(context_), room_);
  tls_->observe(*this);
  tls_->observe_handshake(*this);
}

void Preamble::on_octets(std::string_view octets) {
  anything_received_ = true;
  switch (header_.receive(octets)) {
    case ProxyHeaderParser::State::NeedsMore:
      return;
    case ProxyHeaderParser::State::Failed:
      return observer_.on_preamble_failed({PreambleFailure::Kind::BadProxyHeader});
    case ProxyHeaderParser::State::Complete:
      break;
  }
  if (!context_) return observer_.on_preamble(std::move(transport_), header_.client(), octets);
  begin_tls();
  if (!octets.empty()) tls_->receive(octets);
}

void Preamble::on_secured() { observer_.on_preamble(std::move(tls_), header_.client(), {}); }

void Preamble::on_gone(TransportError error) {
  using Kind = PreambleFailure::Kind;
  if (tls_ && error == TransportError::Insecure && tls_->anything_received()) {
    return observer_.on_preamble_failed({Kind::Tls, tls_->failure()});
  }
  const bool said_something = anything_received_ && !tls_;
  observer_.on_preamble_failed({said_something ? Kind::BadProxyHeader : Kind::Left});
}

}  // namespace proxy
