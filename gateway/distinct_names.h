// Is a name there twice? In time linear in all their octets, whoever chose them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "gateway/keyed_hash.h"

namespace gateway {

// Views: what they show outlives them. Memory is kept from one use to the next.
class DistinctNames {
 public:
  // False: it is there already.
  bool add(std::string_view name);

  void clear() { names_.clear(); }

 private:
  static constexpr std::size_t few = 8;  // of these, looking at each is faster than any table

  // Most that are not the same differ in their hash: then the name itself is not looked at.
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t number = 0;  // names_[number - 1]; 0: nobody
  };

  bool add_to_few(std::string_view name);
  void enlarge_table();
  Slot& slot_of(std::string_view name, std::uint64_t hash);

  HashKey key_ = HashKey::random();
  std::vector<std::string_view> names_;
  std::vector<Slot> table_;  // a name is at its hash or behind it; at most half is taken
};

}  // namespace gateway
