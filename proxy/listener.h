// Accepts TCP connections on one address. Several listeners of one process may share an address
// (SO_REUSEPORT), one a worker: the kernel spreads connections over them.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "proxy/address.h"
#include "proxy/loop.h"
#include "proxy/transport.h"

namespace proxy {

class Listener {
 public:
  class Observer {
   public:
    virtual void on_accept(std::unique_ptr<Transport> transport, const IpAddress& peer) = 0;

   protected:
    ~Observer() = default;
  };

  // The error is the system's word for it, such as "Address already in use".
  static std::expected<std::unique_ptr<Listener>, std::string> open(Loop& loop,
                                                                    const SocketAddress& address,
                                                                    Observer& observer);

  // Whether this process would be the first on that address: with SO_REUSEPORT alone, a second
  // process of the same user would take half of the connections, silently.
  static std::expected<void, std::string> probe(const SocketAddress& address);

  // Takes what already waits in the kernel's queue, so that nobody in it is reset, and stops.
  ~Listener();

 private:
  struct Socket;
  explicit Listener(Loop& loop, Observer& observer);

  void accept_one();

  Loop& loop_;
  Observer& observer_;
  std::unique_ptr<Socket> socket_;
};

}  // namespace proxy
