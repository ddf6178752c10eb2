#include "proxy/service_notice.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace proxy {

namespace {

// A day is more than anybody means, and far from what a duration cannot hold.
constexpr std::uint64_t watchdog_microseconds_max = 24ULL * 60 * 60 * 1'000'000;

std::optional<std::uint64_t> number(const char* text) {
  const std::string_view digits(text);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// sun_path ends in a 0 where it is a path, and is as long as it is where it is abstract.
bool nameable(std::string_view name) {
  return name.size() > 1 && name.size() < sizeof(sockaddr_un::sun_path) &&
         (name.front() == '/' || name.front() == '@');
}

int open_socket(const char* name) {
  if (!name || !nameable(name)) return -1;
  return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

}  // namespace

ServiceNotice::ServiceNotice(const char* socket_name) : socket_(open_socket(socket_name)) {
  if (socket_.get() < 0) return;
  const std::string_view name(socket_name);
  to_.sun_family = AF_UNIX;
  std::ranges::copy(name, to_.sun_path);
  const bool abstract = name.front() == '@';
  if (abstract) to_.sun_path[0] = '\0';
  to_octets_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1));
}

void ServiceNotice::say(std::string_view state) {
  if (socket_.get() < 0) return;
  (void)sendto(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&to_), to_octets_);
}

std::optional<Duration> watchdog_interval(const char* microseconds, const char* process,
                                          pid_t self) {
  if (!microseconds) return std::nullopt;
  if (process && number(process) != static_cast<std::uint64_t>(self)) return std::nullopt;
  const auto interval = number(microseconds);
  if (!interval || *interval == 0) return std::nullopt;
  return std::chrono::microseconds(std::min(*interval, watchdog_microseconds_max));
}

}  // namespace proxy
