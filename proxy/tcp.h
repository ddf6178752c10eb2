// A Transport over TCP. libuv says when the socket is ready and knows how it ends; octets are
// received and sent here, since recv() and send() cost some 100 ns less than the read() and write()
// of a libuv stream.
#pragma once

#include <memory>
#include <string>

#include "proxy/address.h"
#include "proxy/descriptor.h"
#include "proxy/loop.h"
#include "proxy/transport.h"
#include "proxy/uv_handle.h"

namespace proxy {

class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(Loop& loop);  // not connected: raw() is for the listener

  // A stream to `address` that is being connected: it may be written to at once, and one that
  // cannot be connected is gone as Refused. Null: this machine is out of sockets, or has no way
  // there.
  static std::unique_ptr<TcpTransport> connect(Loop& loop, const SocketAddress& address);

  // The same to a Unix socket (unix(7)), which libuv reads and writes no differently. Null also
  // where nobody listens at `path`.
  static std::unique_ptr<TcpTransport> connect(Loop& loop, const std::string& path);

  using Transport::write;
  void observe(Observer& observer) override { observer_ = &observer; }
  void write(std::span<const std::string_view> pieces) override;
  std::size_t unsent() const override;
  void set_reading(bool on) override;
  void finish() override;

  uv_tcp_t* raw() { return handle_.get(); }

 private:
  // The octets of one uv_write. At most one is under way, so a queue that grows is one string.
  struct Write;

  static void readable_cb(uv_stream_t* stream, ssize_t status, const uv_buf_t* buffer) noexcept;
  static void write_cb(uv_write_t* request, int status) noexcept;

  static std::unique_ptr<TcpTransport> open(Loop& loop, Descriptor& socket);

  int socket() const;
  void on_readable();
  std::size_t send(std::span<const std::string_view> pieces);
  void on_written(int status);
  void write_backlog();
  void lose(TransportError error);

  Loop& loop_;
  UvHandle<uv_tcp_t> handle_;
  Observer* observer_ = nullptr;
  std::string backlog_;  // what waits for the write under way
  int send_error_ = 0;   // as libuv numbers it; 0: none
  bool writing_ = false;
  bool finishing_ = false;
  bool gone_ = false;  // the observer has had its last call
};

}  // namespace proxy
