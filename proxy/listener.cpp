#include "proxy/listener.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/descriptor.h"
#include "proxy/tcp.h"
#include "proxy/uv_handle.h"

namespace proxy {

namespace {

constexpr int backlog_max = 4096;  // the kernel lowers it to net.core.somaxconn

std::unexpected<std::string> system_error() {
  return std::unexpected(std::string(std::strerror(errno)));
}

std::expected<int, std::string> bind_socket(const SocketAddress& address, bool shared) {
  sockaddr_storage storage{};
  auto size = address.to(storage);
  Descriptor socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return system_error();
  int on = 1;
  auto set = [&](int level, int option) {
    return ::setsockopt(socket.get(), level, option, &on, sizeof on) == 0;
  };
  if (!set(SOL_SOCKET, SO_REUSEADDR)) return system_error();
  if (shared && !set(SOL_SOCKET, SO_REUSEPORT)) return system_error();
  // One address, one family: "[::]:80" and "0.0.0.0:80" may both be listened on.
  if (storage.ss_family == AF_INET6 && !set(IPPROTO_IPV6, IPV6_V6ONLY)) return system_error();
  // Inherited by what is accepted.
  if (!set(IPPROTO_TCP, TCP_NODELAY)) return system_error();
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), size)) return system_error();
  return socket.release();
}

}  // namespace

struct Listener::Socket {
  explicit Socket(void* owner) : handle(owner) {}
  UvHandle<uv_tcp_t> handle;
};

std::expected<void, std::string> Listener::probe(const SocketAddress& address) {
  auto bound = bind_socket(address, false);
  if (!bound) return std::unexpected(bound.error());
  Descriptor socket(*bound);
  if (::listen(socket.get(), 1) != 0) return system_error();
  return {};
}

Listener::Listener(Loop& loop, Observer& observer)
    : loop_(loop), observer_(observer), socket_(std::make_unique<Socket>(this)) {
  uv_tcp_init(loop.raw(), socket_->handle.get());
}

std::expected<std::unique_ptr<Listener>, std::string> Listener::open(Loop& loop,
                                                                     const SocketAddress& address,
                                                                     Observer& observer) {
  auto bound = bind_socket(address, true);
  if (!bound) return std::unexpected(bound.error());
  std::unique_ptr<Listener> listener(new Listener(loop, observer));
  auto& handle = listener->socket_->handle;
  if (int failed = uv_tcp_open(handle.get(), *bound)) {
    ::close(*bound);
    return std::unexpected(std::string(uv_strerror(failed)));
  }
  auto on_connection = [](uv_stream_t* stream, int status) noexcept {
    auto* self = static_cast<Listener*>(stream->data);
    if (self && status == 0) self->accept_one();
  };
  if (int failed = uv_listen(handle.stream(), backlog_max, on_connection)) {
    return std::unexpected(std::string(uv_strerror(failed)));
  }
  return listener;
}

void Listener::accept_one() {
  loop_.wake();
  auto transport = std::make_unique<TcpTransport>(loop_);
  if (uv_accept(socket_->handle.stream(), reinterpret_cast<uv_stream_t*>(transport->raw()))) return;
  sockaddr_storage storage{};
  int size = sizeof storage;
  if (uv_tcp_getpeername(transport->raw(), reinterpret_cast<sockaddr*>(&storage), &size)) return;
  auto peer = IpAddress::from(reinterpret_cast<sockaddr&>(storage));
  if (!peer) return;
  observer_.on_accept(std::move(transport), *peer);
}

Listener::~Listener() {
  uv_os_fd_t listening;
  if (uv_fileno(socket_->handle.base(), &listening) != 0) return;
  for (int i = 0; i < backlog_max; ++i) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    Descriptor socket(::accept4(listening, reinterpret_cast<sockaddr*>(&storage), &size,
                                SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.get() < 0) return;
    auto peer = IpAddress::from(reinterpret_cast<sockaddr&>(storage));
    auto transport = std::make_unique<TcpTransport>(loop_);
    if (!peer || uv_tcp_open(transport->raw(), socket.get())) continue;
    (void)socket.release();
    observer_.on_accept(std::move(transport), *peer);
  }
}

}  // namespace proxy
