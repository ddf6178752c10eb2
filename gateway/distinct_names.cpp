#include "gateway/distinct_names.h"

#include <algorithm>
#include <bit>

namespace gateway {

bool DistinctNames::add(std::string_view name) {
  if (names_.size() < few) return add_to_few(name);
  // The table is of an earlier use until there are more than a few.
  if (names_.size() == few || 2 * names_.size() >= table_.size()) enlarge_table();
  const std::uint64_t hash = keyed_hash(key_, name);
  Slot& slot = slot_of(name, hash);
  if (slot.number != 0) return false;
  names_.push_back(name);
  slot = {static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(names_.size())};
  return true;
}

bool DistinctNames::add_to_few(std::string_view name) {
  if (std::find(names_.begin(), names_.end(), name) != names_.end()) return false;
  names_.push_back(name);
  return true;
}

void DistinctNames::enlarge_table() {
  table_.assign(std::bit_ceil(8 * names_.size()), Slot{});
  std::uint32_t number = 0;
  for (const std::string_view name : names_) {
    const std::uint64_t hash = keyed_hash(key_, name);
    slot_of(name, hash) = {static_cast<std::uint32_t>(hash), ++number};
  }
}

// Where the name is, or where it is to go.
DistinctNames::Slot& DistinctNames::slot_of(std::string_view name, std::uint64_t hash) {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t at = (hash >> 32) & mask;; at = (at + 1) & mask) {
    Slot& slot = table_[at];
    if (slot.number == 0) return slot;
    if (slot.hash == static_cast<std::uint32_t>(hash) && names_[slot.number - 1] == name) {
      return slot;
    }
  }
}

}  // namespace gateway
