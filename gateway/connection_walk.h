// The connections of a worker that one asks about (census.h), in the order of their ids.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "gateway/page.h"
#include "gateway/survey.h"
#include "proxy/address.h"

namespace gateway {

struct ConnectionRow {
  std::string subject;
  proxy::IpAddress address;
  std::string route;                                   // its path as the policy has it
  std::chrono::sys_seconds since;                      // its 101
  std::optional<std::chrono::sys_seconds> expires_at;  // its token's end; none: it has none
  std::size_t rooms = 0;                               // that it has joined, or waits to
};

// Those that are open, of one subject or in one room where that is asked.
struct ConnectionWalk {
  Page<ConnectionRow> page;
  std::optional<std::string> subject = std::nullopt;
  std::optional<std::string> room_key = std::nullopt;
  std::optional<std::size_t> members = std::nullopt;  // of that room, once it has begun
  SessionCursor cursor = {};

  bool step(const Surveyed& surveyed);

 private:
  void look(const Session& session, proxy::Instant now);
};

// Adds what another worker's walk has found.
void merge(ConnectionWalk& into, const ConnectionWalk& from);

}  // namespace gateway
