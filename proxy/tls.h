// A Transport over TLS over another Transport (RFC 8446; RFC 5246 for 1.2). It holds no octets but
// those of a record that has not come as a whole, and those that its observer does not read now.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/timers.h"
#include "proxy/tls_context.h"
#include "proxy/transport.h"

struct bio_st;
struct ssl_st;

namespace proxy {

// What a worker's TLS connections share.
struct TlsRoom {
  Timers& timers;
  std::span<char> plaintext;  // decrypted octets are lent from it for one call
};

class TlsTransport final : public Transport, private Transport::Observer {
 public:
  class HandshakeObserver {
   public:
    // From here on octets are the peer's. Once, unless on_gone() comes first.
    virtual void on_secured() = 0;

   protected:
    ~HandshakeObserver() = default;
  };

  // The server of a stream that was accepted. Reads from it at once, and is to be observed before
  // anything comes.
  static std::unique_ptr<TlsTransport> accept(std::unique_ptr<Transport> transport,
                                              std::shared_ptr<const TlsServerContext> context,
                                              TlsRoom room);

  // The client of `server_name`, a DNS name or an IP address, which its certificate must have
  // (RFC 9525). It may be written to at once. One who is not that server is gone as Insecure.
  static std::unique_ptr<TlsTransport> connect(std::unique_ptr<Transport> transport,
                                               std::shared_ptr<const TlsClientContext> context,
                                               const std::string& server_name, TlsRoom room);

  ~TlsTransport() override;

  void observe_handshake(HandshakeObserver& observer) { handshake_observer_ = &observer; }

  // Octets that came before this was made, and so did not come through its stream.
  void receive(std::string_view octets) { on_octets(octets); }

  // After on_gone(Insecure): what was wrong, in OpenSSL's words of static life; nothing that the
  // peer has said.
  std::string_view failure() const { return failure_; }

  bool anything_received() const { return anything_received_; }

  using Transport::write;
  void observe(Transport::Observer& observer) override { observer_ = &observer; }
  void write(std::span<const std::string_view> pieces) override;
  std::size_t unsent() const override;
  void set_reading(bool on) override;
  void finish() override;

 private:
  // Answers of the protocol itself (KeyUpdate, no_renegotiation) between two octets of the peer's,
  // and while it takes nothing: one that asks for more is not speaking, but attacking.
  static constexpr std::uint32_t answers_max = 32;

  // Handshaking: nothing else is read or written.
  // Open:        octets pass.
  // Ending:      nothing more will come; the observer is told when it reads.
  // Gone:        it has been told.
  enum class State : std::uint8_t { Handshaking, Open, Ending, Gone };

  struct Stream;  // OpenSSL's view of transport_

  TlsTransport(std::unique_ptr<Transport> transport, std::shared_ptr<const void> context,
               ssl_st* tls, TlsRoom room);

  void on_octets(std::string_view octets) override;
  void on_sent() override;
  void on_gone(TransportError error) override;

  void read();
  bool shake_hands();
  bool send_unwritten();
  std::string_view decrypt();
  void keep_unread();
  void listen(bool on);
  bool unread() const;
  void on_resume();
  void encrypt(std::string_view octets);
  void say_end();
  void fail();
  void end(TransportError error);
  void lose(TransportError error);

  std::unique_ptr<Transport> transport_;
  std::shared_ptr<const void> context_;  // of tls_
  ssl_st* tls_;
  TlsRoom room_;
  Transport::Observer* observer_ = nullptr;
  HandshakeObserver* handshake_observer_ = nullptr;
  std::string_view input_;                  // of the call that is under way: not yet decrypted
  std::unique_ptr<std::string> kept_;       // the same, when its observer stopped reading
  std::unique_ptr<std::string> unwritten_;  // written before the handshake was over
  std::string_view failure_;
  bool called_ = false;  // read() is under way, and does at its end what is asked for meanwhile
  // What read() asks after each call up, which this may not survive.
  const std::shared_ptr<bool> destroyed_ = std::make_shared<bool>(false);
  Timer resume_;  // reads what is kept
  std::uint32_t answers_ = 0;
  State state_ = State::Handshaking;
  TransportError error_ = TransportError::PeerClosed;  // of Ending
  bool reading_ = false;                               // asked for by the observer
  bool listening_ = false;                             // transport_ is read
  bool finishing_ = false;
  bool anything_received_ = false;
};

}  // namespace proxy
