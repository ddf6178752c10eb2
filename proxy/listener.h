// Accepts connections on one address. Several listeners of one process may share one, one a worker:
// of TCP by SO_REUSEPORT, where the kernel spreads connections over them; of a Unix socket, which
// can be bound only once, by a descriptor each of the one socket.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "proxy/address.h"
#include "proxy/descriptor.h"
#include "proxy/loop.h"
#include "proxy/transport.h"

namespace proxy {

// A Unix socket (unix(7)) that is bound and listened on, and is unlinked when this goes.
class UnixSocket {
 public:
  // Who may connect: its owner and group. Who else should gets the group.
  static constexpr unsigned mode = 0660;

  // Takes the place of a socket that nobody listens on any more. The error is the system's word.
  static std::expected<std::unique_ptr<UnixSocket>, std::string> bind(std::string path);
  ~UnixSocket();

  const std::string& path() const { return path_; }
  int descriptor() const { return socket_->get(); }

  // It is listened on from now on as long as one of its listeners is there.
  void leave_to_listeners() { socket_.reset(); }

 private:
  UnixSocket(std::string path, int socket)
      : path_(std::move(path)), socket_(std::in_place, socket) {}

  std::string path_;
  std::optional<Descriptor> socket_;
  std::uint64_t inode_ = 0;  // of what path_ named then
};

class Listener {
 public:
  class Observer {
   public:
    // `peer` of a Unix socket is 127.0.0.1: it is on this machine.
    virtual void on_accept(std::unique_ptr<Transport> transport, const IpAddress& peer) = 0;

   protected:
    ~Observer() = default;
  };

  // The error is the system's word for it, such as "Address already in use".
  static std::expected<std::unique_ptr<Listener>, std::string> open(Loop& loop,
                                                                    const SocketAddress& address,
                                                                    Observer& observer);
  static std::expected<std::unique_ptr<Listener>, std::string> open(Loop& loop,
                                                                    const UnixSocket& socket,
                                                                    Observer& observer);

  // Whether this process would be the first on that address: with SO_REUSEPORT alone, a second
  // process of the same user would take half of the connections, silently.
  static std::expected<void, std::string> probe(const SocketAddress& address);

  // Takes what already waits in the kernel's queue, so that nobody in it is reset, and stops.
  ~Listener();

 private:
  struct Socket;
  explicit Listener(Loop& loop, Observer& observer);

  static std::expected<std::unique_ptr<Listener>, std::string> listen(Loop& loop, int bound,
                                                                      Observer& observer);

  void accept_one();

  Loop& loop_;
  Observer& observer_;
  std::unique_ptr<Socket> socket_;
};

}  // namespace proxy
