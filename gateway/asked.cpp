#include "gateway/asked.h"

namespace gateway {

AskedTable::Entry::~Entry() {
  if (!kept_ || --kept_->users > 0) return;
  auto& kept = kept_->table->kept_;
  kept.erase(kept.find(*kept_->asked));
}

const Asked& AskedTable::Entry::operator*() const { return *kept_->asked; }

AskedTable::Entry AskedTable::keep(Asked asked) {
  const auto place = kept_.try_emplace(std::move(asked)).first;
  Kept& kept = place->second;
  kept.table = this;
  kept.asked = &place->first;
  ++kept.users;
  return Entry(kept);
}

// Those that differ in nothing but where one text ends and the next begins are told apart by ==.
std::size_t AskedTable::Hash::operator()(const Asked& asked) const {
  std::string text = asked.host + asked.path;
  if (asked.origin) text += *asked.origin;
  return keyed_hash(key, text);
}

}  // namespace gateway
