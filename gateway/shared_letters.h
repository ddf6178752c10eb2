// What workers and the part of the instance that asks Redis say to each other about what instances
// count together (CONTRACT section 2, `scope: global`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "auth/rate_limit.h"
#include "gateway/lease.h"
#include "gateway/room_letters.h"

namespace gateway {

// Of a subject on a route, behind a prefix: octets of any kind, at most 17 more than a subject has.
inline std::string shared_key(std::string_view route_key, std::string_view subject) {
  std::string key(route_key);
  (key += ':') += subject;
  return key;
}

// Where a worker's verdict on a message had a question; answered to the Ledger.
struct PermitsWanted {
  std::uint64_t route;  // Route::id
  std::string key;      // shared_key()
  std::size_t subject_octets;
  auth::RateLimit limit;
  Lease::Question question;

  std::string_view subject() const {
    return std::string_view(key).substr(key.size() - subject_octets);
  }
};

// A client that wants to be counted, and is from now on. Answered by Counted, once.
struct CountWanted {
  unsigned worker;
  std::uint64_t id;  // of this client, in the instance
  std::string key;   // shared_key()
  std::uint32_t connections_max;
};

// It is counted no more, also if there was no answer yet. Of one that is not counted it is nothing.
struct CountReleased {
  std::uint64_t id;
};

using ToSharedCounts = std::variant<CountWanted, CountReleased>;

struct Counted {
  std::uint64_t id;
  bool within;  // the limit, or nobody can say; false: it is not counted
};

// Bounded by the subjects and connections that there are: none of these is refused.
inline std::size_t waiting_octets(const PermitsWanted&) { return 0; }

inline std::size_t waiting_octets(const ToSharedCounts&) { return 0; }
inline std::size_t waiting_octets(const Counted&) { return 0; }

using PermitsPort = Port<PermitsWanted>;
using CountsPort = Port<ToSharedCounts>;
using CountedPort = Port<Counted>;

}  // namespace gateway
