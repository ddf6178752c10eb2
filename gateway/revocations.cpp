#include "gateway/revocations.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace gateway {

// --- from any thread ---

std::uint64_t Revocations::token_mark(std::string_view token_id) const {
  return std::max<std::uint64_t>(1, keyed_hash(hash_key_, token_id));
}

Revocations::Mark Revocations::mark_of(const auth::Principal& principal) const {
  Mark mark;
  if (!principal.token_id.empty()) mark.token_id = token_mark(principal.token_id);
  if (principal.issued_at) mark.issued_at = *principal.issued_at;
  return mark;
}

bool Revocations::meets(std::string_view subject, const Mark& mark, auth::WallTime now) const {
  if (size() == 0) return false;
  const std::shared_lock lock(mutex_);
  return find(subject, mark, now) != nullptr;
}

bool Revocations::closes(std::string_view subject, const Mark& mark, auth::WallTime now) const {
  if (size() == 0) return false;
  const std::shared_lock lock(mutex_);
  const Entry* met_by = find(subject, mark, now);
  if (!met_by) return false;
  met_by->closed.fetch_add(1, std::memory_order_relaxed);
  closed_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

const Revocations::Entry* Revocations::find(std::string_view subject, const Mark& mark,
                                            auth::WallTime now) const {
  if (const auto found = subjects_.find(subject); found != subjects_.end()) {
    const auto& revocation = found->second->revocation;
    if (mark.issued_at <= *revocation.issued_before && now < revocation.until) {
      return &*found->second;
    }
  }
  if (mark.token_id == 0) return nullptr;
  const auto found = tokens_.find(mark.token_id);
  if (found == tokens_.end() || now >= found->second->revocation.until) return nullptr;
  return &*found->second;
}

// --- on the one thread that changes it ---

Revocations::Change Revocations::add(const auth::Revocation& revocation, std::size_t max) {
  const auto known = find(revocation);
  if (!known) {
    if (size() >= max) return {Change::Kind::Full};
    applied_.fetch_add(1, std::memory_order_relaxed);
    return {Change::Kind::New, insert(revocation)->revocation};
  }
  const auto before = (*known)->revocation;
  const auto now = auth::merged(before, revocation);
  if (now == before) return {Change::Kind::Known, now};
  applied_.fetch_add(1, std::memory_order_relaxed);
  change(*known, now);
  return {Change::Kind::New, now, before};
}

// Its name stays where it is: a table views it.
void Revocations::change(Entries::iterator entry, const auth::Revocation& now) {
  ends_.erase(entry->end);
  entry->end = ends_.emplace(now.until, entry);
  unstored_.splice(unstored_.end(), list_of(*entry), entry);
  entry->stored = false;
  const std::lock_guard lock(mutex_);
  entry->revocation.issued_before = now.issued_before;
  entry->revocation.until = now.until;
}

std::optional<Revocations::Entries::iterator> Revocations::find(
    const auth::Revocation& revocation) const {
  if (revocation.of_subject()) {
    const auto found = subjects_.find(revocation.name);
    return found == subjects_.end() ? std::nullopt : std::optional(found->second);
  }
  const auto found = tokens_.find(token_mark(revocation.name));
  return found == tokens_.end() ? std::nullopt : std::optional(found->second);
}

Revocations::Entries::iterator Revocations::insert(const auth::Revocation& revocation) {
  const auto entry = unstored_.emplace(unstored_.end(), revocation);
  entry->end = ends_.emplace(revocation.until, entry);
  const std::lock_guard lock(mutex_);
  if (revocation.of_subject()) {
    subjects_.emplace(entry->revocation.name, entry);
  } else {
    entry->token_mark = token_mark(revocation.name);
    tokens_.emplace(entry->token_mark, entry);
  }
  size_.fetch_add(1, std::memory_order_release);
  return entry;
}

std::uint64_t Revocations::closed_by(const auth::Revocation& revocation) const {
  const auto entry = find(revocation);
  return entry ? (*entry)->closed.load(std::memory_order_relaxed) : 0;
}

bool Revocations::forget_ended(auth::WallTime now, std::size_t max) {
  for (; max > 0; --max) {
    if (ends_.empty() || ends_.begin()->first > now) return false;
    forget(ends_.begin()->second);
  }
  return true;
}

void Revocations::forget(Entries::iterator entry) {
  ends_.erase(entry->end);
  {
    const std::lock_guard lock(mutex_);
    if (entry->revocation.of_subject()) {
      subjects_.erase(entry->revocation.name);
    } else {
      tokens_.erase(entry->token_mark);
    }
    size_.fetch_sub(1, std::memory_order_release);
  }
  list_of(*entry).erase(entry);
}

void Revocations::mark_stored(const auth::Revocation& revocation) {
  const auto entry = find(revocation);
  if (!entry || (*entry)->stored || (*entry)->revocation != revocation) return;
  stored_.splice(stored_.end(), unstored_, *entry);
  (*entry)->stored = true;
}

void Revocations::doubt_stored() {
  for (auto& entry : stored_) entry.stored = false;
  unstored_.splice(unstored_.end(), stored_);
}

std::vector<auth::Revocation> Revocations::unstored(std::size_t max) const {
  std::vector<auth::Revocation> revocations;
  for (const auto& entry : unstored_) {
    if (revocations.size() == max) break;
    revocations.push_back(entry.revocation);
  }
  return revocations;
}

std::size_t Revocations::stored_until_after(auth::WallTime time) const {
  const auto before = std::ranges::count_if(ends_.begin(), ends_.upper_bound(time),
                                            [](const auto& end) { return end.second->stored; });
  return stored_.size() - static_cast<std::size_t>(before);
}

}  // namespace gateway
