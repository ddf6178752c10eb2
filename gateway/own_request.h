// A client of the public listener that asks for one of the gateway's own resources, from behind the
// head to the end of the answer: one request a connection. It stays a part of its admission, and
// counts among the clients without a 101.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "gateway/own_resource.h"
#include "proxy/timers.h"
#include "proxy/transport.h"

namespace gateway {

class OwnRequest final : private proxy::Transport::Observer, private OwnResource::Observer {
 public:
  class Observer {
   public:
    virtual void on_served() = 0;  // the client is gone: once, and the last call

   protected:
    ~Observer() = default;
  };

  OwnRequest(OwnResource::Host& host, std::unique_ptr<proxy::Transport> transport,
             std::unique_ptr<OwnResource> resource, Observer& observer);

  // Once. `early`: octets that came behind the head. Does not call the observer.
  void start(std::string_view early);

  // The rest are nothing where it is answered already.
  void give_up();                // the time for it is over
  void refuse(Refusal refusal);  // whatever it waits for

 private:
  // Body:      the rest of it is awaited.
  // Asked:     the resource is to answer.
  // Answered:  what the client still sends is read and dropped.
  // Done:      the observer has been told.
  enum class State : std::uint8_t { Body, Asked, Answered, Done };

  void on_octets(std::string_view octets) override;
  void on_sent() override {}
  void on_gone(proxy::TransportError error) override;
  void on_answer(OwnAnswer answer) override;

  void read_body(std::string_view octets);
  void answer(const OwnAnswer& answer);
  void record_refusal(int status, std::string_view reason);
  void finish();

  OwnResource::Host& host_;
  Observer& observer_;
  State state_ = State::Body;
  std::unique_ptr<proxy::Transport> transport_;
  std::unique_ptr<OwnResource> resource_;
  std::size_t dropped_octets_ = 0;
  proxy::Timer linger_;
};

}  // namespace gateway
