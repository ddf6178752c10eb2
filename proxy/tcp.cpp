#include "proxy/tcp.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

namespace proxy {

namespace {
constexpr std::size_t pieces_max = 64;  // of one system call

TransportError error_of(int status) {
  switch (status) {
    case UV_EOF:
      return TransportError::PeerClosed;
    case UV_ECONNREFUSED:
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_ETIMEDOUT:
      return TransportError::Refused;
    default:
      return TransportError::Reset;
  }
}
}  // namespace

struct TcpTransport::Write {
  uv_write_t request;
  std::string octets;  // kept until the kernel has them
};

TcpTransport::TcpTransport(Loop& loop) : loop_(loop), handle_(this) {
  uv_tcp_init(loop.raw(), handle_.get());
}

// Not uv_tcp_connect(): that waits for the connection before the first octet may be written, and
// costs four more system calls. The kernel tells what became of it at the first read or write.
std::unique_ptr<TcpTransport> TcpTransport::connect(Loop& loop, const SocketAddress& address) {
  sockaddr_storage storage{};
  auto size = address.to(storage);
  Descriptor socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return nullptr;
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0 &&
      errno != EINPROGRESS) {
    return nullptr;
  }
  return open(loop, socket);
}

std::unique_ptr<TcpTransport> TcpTransport::connect(Loop& loop, const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) return nullptr;
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return nullptr;
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return nullptr;
  }
  return open(loop, socket);
}

std::unique_ptr<TcpTransport> TcpTransport::open(Loop& loop, Descriptor& socket) {
  auto transport = std::make_unique<TcpTransport>(loop);
  if (uv_tcp_open(transport->raw(), socket.get()) != 0) return nullptr;
  (void)socket.release();
  return transport;
}

int TcpTransport::socket() const {
  uv_os_fd_t socket = -1;
  uv_fileno(handle_.base(), &socket);
  return socket;
}

// How many octets the kernel took. An error is not told here (a call down never calls up) but by
// the uv_write() of what it did not take. Why, it has to be told by us: the kernel says that a
// connection was refused to the first who asks, and to all others that there is none.
std::size_t TcpTransport::send(std::span<const std::string_view> pieces) {
  constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  ssize_t sent = 0;
  if (pieces.size() == 1) {
    sent = ::send(socket(), pieces[0].data(), pieces[0].size(), flags);
  } else {
    std::array<iovec, pieces_max> buffers;
    auto count = std::min(pieces.size(), pieces_max);
    for (std::size_t i = 0; i < count; ++i) {
      buffers[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
    }
    msghdr message{};
    message.msg_iov = buffers.data();
    message.msg_iovlen = count;
    sent = ::sendmsg(socket(), &message, flags);
  }
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno != EAGAIN && errno != EINTR) send_error_ = -errno;
  return 0;
}

void TcpTransport::write(std::span<const std::string_view> pieces) {
  if (finishing_ || gone_) return;
  std::size_t taken = writing_ ? 0 : send(pieces);
  for (auto piece : pieces) {
    auto skipped = std::min(taken, piece.size());
    taken -= skipped;
    backlog_.append(piece.substr(skipped));
  }
  if (!writing_ && !backlog_.empty()) write_backlog();
}

std::size_t TcpTransport::unsent() const {
  return uv_stream_get_write_queue_size(handle_.stream()) + backlog_.size();
}

void TcpTransport::write_backlog() {
  writing_ = true;
  auto* write = new Write{{}, std::exchange(backlog_, {})};
  auto buffer = uv_buf_init(write->octets.data(), static_cast<unsigned>(write->octets.size()));
  int failed = uv_write(&write->request, handle_.stream(), &buffer, 1, write_cb);
  assert(!failed);
  (void)failed;
}

void TcpTransport::write_cb(uv_write_t* request, int status) noexcept {
  std::unique_ptr<Write> done(reinterpret_cast<Write*>(request));
  if (auto* self = static_cast<TcpTransport*>(request->handle->data)) self->on_written(status);
}

void TcpTransport::on_written(int status) {
  loop_.wake();
  writing_ = false;
  if (gone_) return;
  if (status < 0) return lose(error_of(status));
  if (!backlog_.empty()) {
    write_backlog();
  } else if (finishing_) {
    finishing_ = false;
    finish();
  }
  observer_->on_sent();
}

void TcpTransport::set_reading(bool on) {
  if (on && !gone_) {
    auto lend_nothing = [](uv_handle_t*, std::size_t, uv_buf_t* buffer) noexcept {
      *buffer = uv_buf_init(nullptr, 0);
    };
    uv_read_start(handle_.stream(), lend_nothing, readable_cb);
  } else {
    uv_read_stop(handle_.stream());
  }
}

void TcpTransport::finish() {
  if (gone_ || std::exchange(finishing_, true) || writing_) return;
  auto* request = new uv_shutdown_t;
  if (uv_shutdown(request, handle_.stream(), [](uv_shutdown_t* r, int) { delete r; }) != 0) {
    delete request;  // not connected any more: there is nothing to end
  }
}

// libuv, lent no buffer, reports UV_ENOBUFS where it would have read.
void TcpTransport::readable_cb(uv_stream_t* stream, ssize_t status, const uv_buf_t*) noexcept {
  auto* self = static_cast<TcpTransport*>(stream->data);
  if (!self) return;
  self->loop_.wake();
  if (status == UV_ENOBUFS) return self->on_readable();
  self->lose(error_of(static_cast<int>(status)));
}

// Once an iteration: what is left is reported again, after the other connections had their turn.
void TcpTransport::on_readable() {
  auto* buffer = loop_.receive_buffer();
  auto received = ::recv(socket(), buffer, Loop::receive_buffer_octets, MSG_DONTWAIT);
  if (received > 0) return observer_->on_octets({buffer, static_cast<std::size_t>(received)});
  if (received == 0) return lose(TransportError::PeerClosed);
  if (errno == EAGAIN || errno == EINTR) return;
  lose(error_of(-errno));  // as libuv numbers them
}

void TcpTransport::lose(TransportError error) {
  gone_ = true;
  backlog_ = {};
  uv_read_stop(handle_.stream());
  observer_->on_gone(send_error_ ? error_of(send_error_) : error);
}

}  // namespace proxy
