// Loopback sockets and epoll, directly: the load has to cost less than what it measures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/epoll.h>

namespace tests::bench {

inline constexpr std::int64_t ns_per_second = 1'000'000'000;

// CLOCK_MONOTONIC.
std::int64_t now_ns();

// Never throws away what it holds by copying: move only.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  int number() const { return number_; }
  bool open() const { return number_ >= 0; }
  void reset();

 private:
  int number_ = -1;
};

std::expected<sockaddr_in, std::string> parse_address(const std::string& host, std::uint16_t port);

std::expected<Descriptor, std::string> listen_on(const sockaddr_in& address);

// Non-blocking: the result may still be connecting. `source`: an address to connect from, with port
// 0, or null.
std::expected<Descriptor, std::string> dial(const sockaddr_in& address, const sockaddr_in* source);

// A process that sleeps is woken by whoever writes to it: on loopback that is the proxy, at some
// microseconds a time, and the slower proxy pays more often. One that spins costs it nothing.
enum class Waiting : std::uint8_t { Sleeps, Spins };

class Poller {
 public:
  explicit Poller(Waiting waiting);

  void add(int descriptor, std::uint32_t events, void* owner);
  void change(int descriptor, std::uint32_t events, void* owner);

  // Waits at most `timeout_ns`. The result is valid until the next call.
  std::span<const epoll_event> wait(std::int64_t timeout_ns);

 private:
  Waiting waiting_;
  Descriptor epoll_;
  std::vector<epoll_event> events_;
};

}  // namespace tests::bench
