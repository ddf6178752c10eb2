// What workers ask of whoever keeps what serves once (CONTRACT sections 2 and 6, `once` and
// tickets), and the answers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "auth/principal.h"
#include "gateway/room_letters.h"

namespace gateway {

// Each is answered by one DepositAnswer. `id`: of the question, in the instance. `name`:
// auth/single_use.h.

// A token is used: nobody may use it again for as long as it is kept.
struct MarkToken {
  unsigned worker;
  std::uint64_t id;
  std::string name;
  std::chrono::milliseconds kept_for;
  auth::WallTime now;
};

struct KeepTicket {
  unsigned worker;
  std::uint64_t id;
  std::string name;
  std::string grant;  // auth/grant.h
  std::chrono::milliseconds kept_for;
  auth::WallTime now;
};

struct TakeTicket {
  unsigned worker;
  std::uint64_t id;
  std::string name;
  auth::WallTime now;
};

using ToDeposits = std::variant<MarkToken, KeepTicket, TakeTicket>;

struct DepositAnswer {
  enum class Outcome : std::uint8_t {
    Done,     // marked, kept; or taken, and `grant` is what was there
    NotDone,  // the name was there already; or is not, of one to be taken
    Away,     // nobody can say, and whether it was done is not known
    Full,     // there is no room, and it was not done
  };
  std::uint64_t id;
  Outcome outcome;
  std::string grant = {};
};

// Bounded by the connections that there are: none of these is refused.
inline std::size_t waiting_octets(const ToDeposits&) { return 0; }
inline std::size_t waiting_octets(const DepositAnswer&) { return 0; }

using DepositsPort = Port<ToDeposits>;
using DepositAnswersPort = Port<DepositAnswer>;

}  // namespace gateway
