// Closing what was revoked: every worker goes through its sessions by the slice, asks the copy
// (revocations.h) about each and closes those that it meets. What comes in while that is under way
// waits for the next time, all of it together: one walk for many revocations, never one for each.
//
// On the one thread that changes the copy.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gateway/audit.h"
#include "gateway/connection_id.h"
#include "gateway/revocations.h"
#include "gateway/survey.h"
#include "proxy/address.h"

namespace gateway {

// What one walk closes besides what the copy meets; in order, for all workers.
using SweptConnections = std::shared_ptr<const std::vector<ConnectionId>>;

// A worker's walk, on its thread (survey.h).
class SweepWalk {
 public:
  SweepWalk(const Revocations& revocations, SweptConnections connections)
      : revocations_(&revocations), connections_(std::move(connections)) {}

  bool step(const Surveyed& surveyed);

 private:
  bool meets(const Session& session, auth::WallTime now) const;

  const Revocations* revocations_;
  SweptConnections connections_;
  SessionCursor cursor_;
};

class Sweeps {
 public:
  // Of one walk, what is beyond it is not lost: lines are counted, connections of other instances
  // are not closed.
  static constexpr std::size_t lines_max = 1'000;
  static constexpr std::size_t connections_max = 10'000;

  // Has every worker walk; on_swept() is called, later, when all have.
  using Start = std::function<void(SweptConnections)>;

  Sweeps(const Revocations& revocations, Audit& audit, Start start)
      : revocations_(revocations), audit_(audit), start_(std::move(start)) {}
  Sweeps(const Sweeps&) = delete;
  Sweeps& operator=(const Sweeps&) = delete;

  // What the copy has learned. `asked_by`: whoever asked this instance; none: another one heard it.
  // The audit log gets its line when all that it meets has been closed.
  void revoked(const auth::Revocation& revocation, std::optional<proxy::IpAddress> asked_by);

  void look();  // it has learned more, which is nobody's to be told

  // False: connections_max wait to be closed.
  bool close(const ConnectionId& connection);

  void on_swept();

 private:
  struct Line {
    auth::Revocation revocation;
    std::optional<proxy::IpAddress> asked_by;
    std::uint64_t closed_before;  // by the same name's
  };
  // What a walk is for.
  struct Batch {
    bool wanted = false;
    std::vector<Line> lines;
    std::uint64_t lines_left_out = 0;
    std::vector<ConnectionId> connections;
  };

  void begin();
  void write_lines(const Batch& batch);

  const Revocations& revocations_;
  Audit& audit_;
  Start start_;
  std::optional<Batch> under_way_;
  Batch next_;
};

}  // namespace gateway
