// What the service manager that started this process is told about it, in datagrams to the socket
// that it named (sd_notify(3), whose protocol others than systemd speak too). Where nobody asked to
// be told, it is said to nobody.
#pragma once

#include <optional>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

#include "proxy/descriptor.h"
#include "proxy/timers.h"

namespace proxy {

class ServiceNotice {
 public:
  // As $NOTIFY_SOCKET says: a path, or '@' and an abstract name, of at most 107 octets. Anything
  // else is nobody.
  explicit ServiceNotice(const char* socket_name);

  // One or more lines NAME=value. It never waits: where the manager reads too slowly, it is lost.
  void say(std::string_view state);

 private:
  Descriptor socket_;  // none: nobody
  sockaddr_un to_{};
  socklen_t to_octets_ = 0;
};

// How often at least the manager wants to hear WATCHDOG=1; none: it does not. As $WATCHDOG_USEC
// and, where it names another process than `self`, $WATCHDOG_PID say; null: not set.
std::optional<Duration> watchdog_interval(const char* microseconds, const char* process,
                                          pid_t self);

}  // namespace proxy
