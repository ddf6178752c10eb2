#include "tests/bench/echo_backend.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "tests/bench/frames.h"
#include "tests/bench/sockets.h"

namespace tests::bench {

namespace {

constexpr std::size_t receive_octets_max = 512 * 1024;
constexpr std::size_t request_octets_max = 32 * 1024;
constexpr std::size_t message_octets_max = 4 * 1024 * 1024;

struct Peer {
  Descriptor socket;
  bool listens = false;  // a listening socket; the rest is of no use to it
  bool open = false;     // has its 101
  bool ending = false;   // closes as soon as `unsent` is gone
  std::string unread;    // the beginning of a request or a frame
  std::string unsent;    // while there is some, nothing is read
  std::string message;   // fragments so far, unmasked
  Opcode opcode = Opcode::Binary;
};

std::string_view text_of(std::span<const std::uint8_t> octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

// The value of a field in a head whose lines end with CRLF; empty: none.
std::string_view field_of(std::string_view head, std::string_view name) {
  const auto same = [](char left, char right) {
    return std::tolower(static_cast<unsigned char>(left)) ==
           std::tolower(static_cast<unsigned char>(right));
  };
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    if (line.size() > name.size() && line[name.size()] == ':' &&
        std::equal(name.begin(), name.end(), line.begin(), same)) {
      line.remove_prefix(name.size() + 1);
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      return line.substr(0, line.find_last_not_of(" \t") + 1);
    }
  }
  return {};
}

class EchoServer {
 public:
  explicit EchoServer(Waiting waiting)
      : poller_(waiting), received_(receive_octets_max + message_octets_max) {}

  std::expected<void, std::string> listen(const sockaddr_in& address) {
    auto socket = listen_on(address);
    if (!socket) {
      return std::unexpected(socket.error());
    }
    Peer& peer = peer_of(std::move(*socket));
    peer.listens = true;
    return {};
  }

  [[noreturn]] void serve() {
    for (;;) {
      for (const epoll_event& event : poller_.wait(std::numeric_limits<std::int64_t>::max())) {
        Peer& peer = *static_cast<Peer*>(event.data.ptr);
        if (peer.listens) {
          accept(peer);
        } else {
          on_event(peer, event.events);
        }
      }
    }
  }

 private:
  Peer& peer_of(Descriptor socket) {
    const auto number = static_cast<std::size_t>(socket.number());
    if (peers_.size() <= number) {
      peers_.resize(number + 1);
    }
    // One that is closed is freed only here, when its number is used again.
    peers_[number] = std::make_unique<Peer>();
    peers_[number]->socket = std::move(socket);
    poller_.add(static_cast<int>(number), EPOLLIN, peers_[number].get());
    return *peers_[number];
  }

  void accept(Peer& listener) {
    for (;;) {
      Descriptor socket{
          ::accept4(listener.socket.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!socket.open()) {
        return;
      }
      const int on = 1;
      (void)setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      peer_of(std::move(socket));
    }
  }

  void on_event(Peer& peer, std::uint32_t events) {
    if (!peer.socket.open()) {
      return;
    }
    if ((events & EPOLLOUT) != 0) {
      const std::string unsent = std::exchange(peer.unsent, {});
      poller_.change(peer.socket.number(), EPOLLIN, &peer);
      write(peer, unsent);
    } else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
      receive(peer);
    }
  }

  void receive(Peer& peer) {
    const std::size_t kept = peer.unread.size();
    std::memcpy(received_.data(), peer.unread.data(), kept);
    const ssize_t count =
        ::recv(peer.socket.number(), received_.data() + kept, received_.size() - kept, 0);
    if (count <= 0) {
      if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        peer.socket.reset();
      }
      return;
    }
    std::span<std::uint8_t> octets{received_.data(), kept + static_cast<std::size_t>(count)};
    if (!peer.open) {
      octets = octets.subspan(answer_request(peer, text_of(octets)));
    }
    if (peer.open) {
      octets = octets.subspan(echo(peer, octets));
    }
    if (octets.size() > message_octets_max) {
      peer.socket.reset();
      return;
    }
    peer.unread = text_of(octets);
  }

  // How many octets were the request; 0: not complete.
  std::size_t answer_request(Peer& peer, std::string_view text) {
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (text.size() > request_octets_max) {
        peer.socket.reset();
      }
      return 0;
    }
    const std::string_view key = field_of(text.substr(0, end + 2), "Sec-WebSocket-Key");
    if (key.empty()) {
      peer.ending = true;
      write(peer,
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n"
            "Connection: close, Upgrade\r\n\r\n");
      return text.size();
    }
    peer.open = true;
    write(peer, fmt::format("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
                            accept_of(key)));
    return end + 4;
  }

  // Echoes what is complete, with one write, and says how many octets that was.
  std::size_t echo(Peer& peer, std::span<std::uint8_t> octets) {
    std::size_t read = 0;
    echoes_.clear();
    while (!peer.ending) {
      const auto head = read_frame_head(octets.subspan(read));
      if (!head || octets.size() - read - head->head_octets < head->payload_octets) {
        break;
      }
      const auto payload =
          octets.subspan(read + head->head_octets, static_cast<std::size_t>(head->payload_octets));
      read += head->head_octets + payload.size();
      if (!head->key || peer.message.size() + payload.size() > message_octets_max) {
        peer.ending = true;
        break;
      }
      mask(payload.data(), payload.data(), payload.size(), *head->key, 0);
      on_frame(peer, *head, payload);
    }
    write(peer, echoes_);
    return read;
  }

  void on_frame(Peer& peer, const FrameHead& head, std::span<const std::uint8_t> payload) {
    if (head.opcode == Opcode::Ping) {
      echoes_ += control_frame(Opcode::Pong, text_of(payload), std::nullopt);
    } else if (head.opcode == Opcode::Close) {
      echoes_ += control_frame(Opcode::Close, text_of(payload), std::nullopt);
      peer.ending = true;
    } else if (!is_control(head.opcode)) {
      if (head.opcode != Opcode::Continuation) {
        peer.opcode = head.opcode;
        if (head.fin) {
          append_message(peer.opcode, payload);
          return;
        }
      }
      peer.message += text_of(payload);
      if (head.fin) {
        append_message(peer.opcode, {reinterpret_cast<const std::uint8_t*>(peer.message.data()),
                                     peer.message.size()});
        peer.message = std::string{};
      }
    }
  }

  void append_message(Opcode opcode, std::span<const std::uint8_t> payload) {
    std::array<std::uint8_t, frame_head_octets_max> head;
    const std::size_t size =
        write_frame_head(head.data(), {.opcode = opcode, .payload_octets = payload.size()});
    echoes_.append(reinterpret_cast<const char*>(head.data()), size);
    echoes_ += text_of(payload);
  }

  void write(Peer& peer, std::string_view octets) {
    std::size_t written = 0;
    if (!octets.empty() && peer.unsent.empty()) {
      const ssize_t count =
          ::send(peer.socket.number(), octets.data(), octets.size(), MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN && errno != EINTR) {
        peer.socket.reset();
        return;
      }
      written = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    }
    if (written < octets.size()) {
      peer.unsent += octets.substr(written);
      poller_.change(peer.socket.number(), EPOLLOUT, &peer);
    } else if (peer.ending && peer.unsent.empty()) {
      peer.socket.reset();
    }
  }

  Poller poller_;
  std::vector<std::unique_ptr<Peer>> peers_;  // by descriptor
  std::vector<std::uint8_t> received_;
  std::string echoes_;
};

}  // namespace

std::string serve_echoes(const std::vector<sockaddr_in>& addresses, Waiting waiting) {
  EchoServer server{waiting};
  for (const sockaddr_in& address : addresses) {
    if (const auto listening = server.listen(address); !listening) {
      return listening.error();
    }
  }
  fmt::print("{{\"listening\": {}}}\n", addresses.size());
  std::fflush(stdout);
  server.serve();
}

}  // namespace tests::bench
