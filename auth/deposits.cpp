#include "auth/deposits.h"

#include <utility>

namespace auth {

Deposits::Kept Deposits::keep(std::string_view name, std::string_view text, WallTime until,
                              WallTime now) {
  forget_ended(now);
  const auto known = by_name_.find(name);
  if (known != by_name_.end()) {
    if (known->second.end->first > now) return Kept::Known;
    forget(known);
  }
  const std::size_t octets = octets_of(name, text);
  if (octets > octets_max_ - octets_) return Kept::Full;
  octets_ += octets;
  const auto added = by_name_.emplace(std::string(name), Deposit{std::string(text), {}}).first;
  added->second.end = ends_.emplace(until, added->first);
  return Kept::Kept;
}

std::optional<std::string> Deposits::take(std::string_view name, WallTime now) {
  const auto known = by_name_.find(name);
  if (known == by_name_.end()) return std::nullopt;
  const bool ended = known->second.end->first <= now;
  auto text = std::move(known->second.text);
  octets_ -= text.size();
  known->second.text.clear();
  forget(known);
  if (ended) return std::nullopt;
  return text;
}

void Deposits::forget(ByName::iterator deposit) {
  octets_ -= octets_of(deposit->first, deposit->second.text);
  ends_.erase(deposit->second.end);
  by_name_.erase(deposit);
}

void Deposits::forget_ended(WallTime now) {
  for (std::size_t i = 0; i < forgotten_at_a_time; ++i) {
    if (ends_.empty() || ends_.begin()->first > now) return;
    forget(by_name_.find(ends_.begin()->second));
  }
}

}  // namespace auth
