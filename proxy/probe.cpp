#include "proxy/probe.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/http.h"

namespace proxy {

namespace {

using Clock = std::chrono::steady_clock;

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

std::unexpected<std::string> system_says(int error) {
  return std::unexpected(std::generic_category().message(error));
}

std::expected<void, std::string> wait_for(const Socket& socket, short events,
                                          Clock::time_point deadline) {
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd polled{socket.descriptor(), events, 0};
    int ready = poll(&polled, 1, static_cast<int>(std::max<decltype(left)>(0, left)));
    if (ready > 0) {
      return {};
    }
    if (ready == 0) {
      return std::unexpected("no answer in time");
    }
    if (errno != EINTR) {
      return system_says(errno);
    }
  }
}

std::expected<void, std::string> connect_to(const Socket& socket, const SocketAddress& address,
                                            Clock::time_point deadline) {
  sockaddr_storage storage{};
  address.to(storage);
  const auto* plain = reinterpret_cast<const sockaddr*>(&storage);
  const socklen_t length = address.ip.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (connect(socket.descriptor(), plain, length) == 0) {
    return {};
  }
  if (errno != EINPROGRESS) {
    return system_says(errno);
  }
  if (auto writable = wait_for(socket, POLLOUT, deadline); !writable) {
    return writable;
  }
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    return system_says(error);
  }
  return {};
}

std::expected<void, std::string> send_all(const Socket& socket, std::string_view octets,
                                          Clock::time_point deadline) {
  while (!octets.empty()) {
    if (auto writable = wait_for(socket, POLLOUT, deadline); !writable) {
      return writable;
    }
    ssize_t count = send(socket.descriptor(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR && errno != EAGAIN) {
      return system_says(errno);
    }
    octets.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(0, count)));
  }
  return {};
}

std::expected<int, std::string> receive_status(const Socket& socket, Clock::time_point deadline) {
  HeadParser parser(HeadParser::Kind::Response);
  std::array<char, 4096> buffer;
  while (true) {
    if (auto readable = wait_for(socket, POLLIN, deadline); !readable) {
      return std::unexpected(readable.error());
    }
    ssize_t count = recv(socket.descriptor(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
      continue;
    }
    if (count < 0) {
      return system_says(errno);
    }
    if (count == 0) {
      return std::unexpected("closed without an answer");
    }
    std::string_view octets(buffer.data(), static_cast<std::size_t>(count));
    switch (parser.receive(octets)) {
      case HeadParser::State::NeedsMore:
        continue;
      case HeadParser::State::Failed:
        return std::unexpected("the answer is not HTTP");
      case HeadParser::State::Complete:
        return parser.take_response().status;
    }
  }
}

}  // namespace

std::expected<int, std::string> probe_status(const SocketAddress& address, std::string_view path,
                                             std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const int family = address.ip.is_v4() ? AF_INET : AF_INET6;
  Socket socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.descriptor() < 0) {
    return system_says(errno);
  }
  const std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", path, address.to_string());
  if (auto connected = connect_to(socket, address, deadline); !connected) {
    return std::unexpected(connected.error());
  }
  if (auto sent = send_all(socket, request, deadline); !sent) {
    return std::unexpected(sent.error());
  }
  return receive_status(socket, deadline);
}

}  // namespace proxy
