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
  // Whoever is flushed may ask for others: the list grows meanwhile.
  for (std::size_t i = 0; i < members_.size(); ++i) {
    auto* member = members_[i];
    if (!member) continue;
    member->place_ = nowhere;
    member->flush();
  }
  members_.clear();
}

}  // namespace proxy
