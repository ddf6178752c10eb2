#include "tests/bench/sockets.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tests::bench {

namespace {

constexpr std::size_t events_max = 512;
constexpr std::int64_t wait_ns_max = 3600 * ns_per_second;

std::unexpected<std::string> failed(const char* what) {
  return std::unexpected(fmt::format("{}: {}", what, std::strerror(errno)));
}

void set_option(int descriptor, int level, int option) {
  const int on = 1;
  // Best effort: a socket without the option still works, only slower.
  (void)setsockopt(descriptor, level, option, &on, sizeof on);
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    number_ = std::exchange(other.number_, -1);
  }
  return *this;
}

void Descriptor::reset() {
  if (number_ >= 0) {
    ::close(number_);
    number_ = -1;
  }
}

std::expected<sockaddr_in, std::string> parse_address(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return std::unexpected(fmt::format("'{}' is not an IPv4 address", host));
  }
  return address;
}

std::expected<Descriptor, std::string> listen_on(const sockaddr_in& address) {
  Descriptor descriptor{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!descriptor.open()) {
    return failed("socket");
  }
  set_option(descriptor.number(), SOL_SOCKET, SO_REUSEADDR);
  if (bind(descriptor.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return failed("bind");
  }
  if (listen(descriptor.number(), 4096) != 0) {
    return failed("listen");
  }
  return descriptor;
}

std::expected<Descriptor, std::string> dial(const sockaddr_in& address, const sockaddr_in* source) {
  Descriptor descriptor{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!descriptor.open()) {
    return failed("socket");
  }
  set_option(descriptor.number(), IPPROTO_TCP, TCP_NODELAY);
  if (source != nullptr) {
    // The port is then chosen at connect(), with all four parts of the address known.
    set_option(descriptor.number(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    if (bind(descriptor.number(), reinterpret_cast<const sockaddr*>(source), sizeof *source) != 0) {
      return failed("bind");
    }
  }
  const auto* peer = reinterpret_cast<const sockaddr*>(&address);
  if (connect(descriptor.number(), peer, sizeof address) != 0 && errno != EINPROGRESS) {
    return failed("connect");
  }
  return descriptor;
}

Poller::Poller(Waiting waiting)
    : waiting_(waiting), epoll_(epoll_create1(EPOLL_CLOEXEC)), events_(events_max) {
  if (!epoll_.open()) {
    std::abort();
  }
}

void Poller::add(int descriptor, std::uint32_t events, void* owner) {
  epoll_event event{.events = events, .data = {.ptr = owner}};
  if (epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
    std::abort();
  }
}

void Poller::change(int descriptor, std::uint32_t events, void* owner) {
  epoll_event event{.events = events, .data = {.ptr = owner}};
  if (epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, descriptor, &event) != 0) {
    std::abort();
  }
}

std::span<const epoll_event> Poller::wait(std::int64_t timeout_ns) {
  timeout_ns = std::clamp<std::int64_t>(timeout_ns, 0, wait_ns_max);
  if (waiting_ == Waiting::Spins) {
    const std::int64_t end_ns = now_ns() + timeout_ns;
    int count = 0;
    do {
      // The other half of the load may share the processor.
      sched_yield();
      count = epoll_wait(epoll_.number(), events_.data(), static_cast<int>(events_.size()), 0);
    } while (count <= 0 && now_ns() < end_ns);
    return {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
  }
  const timespec timeout{.tv_sec = timeout_ns / ns_per_second,
                         .tv_nsec = timeout_ns % ns_per_second};
  const int count = epoll_pwait2(epoll_.number(), events_.data(), static_cast<int>(events_.size()),
                                 &timeout, nullptr);
  return {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
}

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * ns_per_second + now.tv_nsec;
}

}  // namespace tests::bench
