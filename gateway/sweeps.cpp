#include "gateway/sweeps.h"

#include <algorithm>

#include "gateway/wall_time.h"

namespace gateway {

bool SweepWalk::step(const Surveyed& surveyed) {
  const auto now = wall_time(surveyed.now);
  for (const auto& session : cursor_.next_slice(surveyed)) {
    if (session->open() && meets(*session, now)) session->close(Goodbye::Revoked);
  }
  return cursor_.more();
}

bool SweepWalk::meets(const Session& session, auth::WallTime now) const {
  const auto& identity = session.identity();
  return std::ranges::binary_search(*connections_, identity.id) ||
         revocations_->closes(identity.subject, session.mark(), now);
}

void Sweeps::revoked(const auth::Revocation& revocation, std::optional<proxy::IpAddress> asked_by) {
  if (next_.lines.size() < lines_max) {
    next_.lines.push_back({revocation, asked_by, revocations_.closed_by(revocation)});
  } else {
    ++next_.lines_left_out;
  }
  look();
}

void Sweeps::look() {
  next_.wanted = true;
  if (!under_way_) begin();
}

bool Sweeps::close(const ConnectionId& connection) {
  if (next_.connections.size() == connections_max) return false;
  next_.connections.push_back(connection);
  look();
  return true;
}

void Sweeps::begin() {
  under_way_ = std::exchange(next_, {});
  auto connections = std::move(under_way_->connections);
  std::ranges::sort(connections);
  start_(std::make_shared<const std::vector<ConnectionId>>(std::move(connections)));
}

void Sweeps::on_swept() {
  write_lines(*under_way_);
  under_way_.reset();
  if (next_.wanted) begin();
}

void Sweeps::write_lines(const Batch& batch) {
  for (const auto& line : batch.lines) {
    // One that has ended meanwhile has closed nobody since, and is known no more.
    const auto closed = std::max(revocations_.closed_by(line.revocation), line.closed_before);
    audit_.revoked({.subject = line.revocation.of_subject() ? line.revocation.name : "",
                    .token_id = line.revocation.of_subject() ? "" : line.revocation.name,
                    .asked_by = line.asked_by,
                    .closed = closed - line.closed_before});
  }
  if (batch.lines_left_out > 0) audit_.revocations_suppressed(batch.lines_left_out);
}

}  // namespace gateway
