#include "proxy/listener.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

// Of what was accepted. None: it is gone already.
std::optional<IpAddress> peer_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_UNIX) return IpAddress::parse("127.0.0.1");
  return IpAddress::from(reinterpret_cast<const sockaddr&>(address));
}

// Is it a socket that nobody listens on: what a process left that was killed?
bool stale(const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(address.sun_path, &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
  Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

std::uint64_t inode_of(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

}  // namespace

std::expected<std::unique_ptr<UnixSocket>, std::string> UnixSocket::bind(std::string path) {
  sockaddr_un address{};
  assert(path.size() < sizeof address.sun_path);
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return system_error();
  const auto try_to_bind = [&] {
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  };
  if (!try_to_bind()) {
    if (errno != EADDRINUSE) return system_error();
    if (stale(address)) ::unlink(address.sun_path);
    if (!try_to_bind()) return system_error();
  }
  std::unique_ptr<UnixSocket> bound(new UnixSocket(std::move(path), socket.release()));
  bound->inode_ = inode_of(bound->path_);
  // Nobody can connect before it is listened on, with whatever mode it was made.
  if (::chmod(address.sun_path, mode) != 0 || ::listen(bound->descriptor(), backlog_max) != 0) {
    return system_error();
  }
  return bound;
}

// Not what another process has bound there since.
UnixSocket::~UnixSocket() {
  if (inode_of(path_) == inode_) ::unlink(path_.c_str());
}

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
  return listen(loop, *bound, observer);
}

std::expected<std::unique_ptr<Listener>, std::string> Listener::open(Loop& loop,
                                                                     const UnixSocket& socket,
                                                                     Observer& observer) {
  const int duplicate = ::fcntl(socket.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) return system_error();
  return listen(loop, duplicate, observer);
}

// libuv asks nothing of the socket but that it is a stream: a Unix socket may be a uv_tcp_t.
std::expected<std::unique_ptr<Listener>, std::string> Listener::listen(Loop& loop, int bound,
                                                                       Observer& observer) {
  std::unique_ptr<Listener> listener(new Listener(loop, observer));
  auto& handle = listener->socket_->handle;
  if (int failed = uv_tcp_open(handle.get(), bound)) {
    ::close(bound);
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
  auto peer = peer_of(storage);
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
    auto peer = peer_of(storage);
    auto transport = std::make_unique<TcpTransport>(loop_);
    if (!peer || uv_tcp_open(transport->raw(), socket.get())) continue;
    (void)socket.release();
    observer_.on_accept(std::move(transport), *peer);
  }
}

}  // namespace proxy
