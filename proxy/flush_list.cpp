#include "proxy/flush_list.h"

namespace proxy {

void FlushList::add(Member& member) {
  if (member.place_ != nowhere) return;
  member.place_ = members_.size();
  members_.push_back(&member);
}

void FlushList::remove(Member& member) {
  if (member.place_ != nowhere) members_[member.place_] = nullptr;
}

void FlushList::flush() {
  // A call down never calls up, so nobody asks meanwhile.
  for (auto* member : members_) {
    if (!member) continue;
    member->place_ = nowhere;
    member->flush();
  }
  members_.clear();
}

}  // namespace proxy
