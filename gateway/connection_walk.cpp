#include "gateway/connection_walk.h"

namespace gateway {
namespace {

using std::chrono::floor;
using std::chrono::seconds;

}  // namespace

bool ConnectionWalk::step(const Surveyed& surveyed) {
  if (room_key && !members) members = surveyed.rooms.members(*room_key);
  for (const auto& session : cursor.next_slice(surveyed)) look(*session, surveyed.now);
  return cursor.more();
}

void ConnectionWalk::look(const Session& session, proxy::Instant now) {
  const auto& identity = session.identity();
  if (!page.takes(identity.id_text()) || !session.open()) return;
  if (subject && identity.subject != *subject) return;
  if (room_key && !session.member_of(*room_key)) return;
  auto& row = *page.row_of(identity.id_text());
  row = {identity.subject,
         identity.address,
         identity.route->path.text(),
         floor<seconds>(now.wall - (now.monotonic - session.opened())),
         std::nullopt,
         session.rooms()};
  if (const auto end = session.good_until()) row.expires_at = floor<seconds>(*end);
}

void merge(ConnectionWalk& into, const ConnectionWalk& from) {
  if (from.members) *into.members += *from.members;
  for (const auto& [id, found] : from.page.kept()) {
    if (auto* row = into.page.row_of(id)) *row = found;
  }
}

}  // namespace gateway
