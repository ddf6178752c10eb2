// Connecting to one server: a name or an address, and a port. Names are looked up off the loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/address.h"
#include "proxy/loop.h"
#include "proxy/tcp.h"

namespace proxy {

enum class DialError : std::uint8_t { NotFound, Refused };

// Destroying it gives the attempt up; the observer is not called any more then. It has no deadline
// of its own.
class Dial {
 public:
  class Observer {
   public:
    virtual void on_connected(std::unique_ptr<Transport> transport) = 0;  // the last call, or:
    virtual void on_dial_failed(DialError error) = 0;                     // the last call

   protected:
    ~Observer() = default;
  };

  Dial(Loop& loop, const std::string& host, std::uint16_t port, Observer& observer);
  ~Dial();
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

 private:
  static constexpr std::size_t addresses_max = 4;  // of one name, tried in order

  struct Lookup;
  struct Connect;

  void look_up(const std::string& host);
  void on_addresses(std::vector<SocketAddress> addresses);
  void connect_next();
  void on_connect(int status);
  void fail_soon(DialError error);

  Loop& loop_;
  std::uint16_t port_;
  Observer& observer_;
  std::vector<SocketAddress> addresses_;  // those left to try, the next one last
  std::unique_ptr<TcpTransport> transport_;
  Lookup* lookup_ = nullptr;    // owned by libuv while it is under way
  Connect* connect_ = nullptr;  // likewise
  DialError error_ = DialError::NotFound;
  Timer failed_;  // due at once: a constructor does not call its observer
};

}  // namespace proxy
