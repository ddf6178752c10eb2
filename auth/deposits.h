// Texts that are kept under a name until their end, and given out once: the mark of a token that
// has been used (RFC 7519 section 4.1.7), which nobody takes, and what a ticket stands for. Bounded
// in octets; it has no clock: it is told the time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/principal.h"

namespace auth {

class Deposits {
 public:
  // Of each besides its name and text: what the tables need.
  static constexpr std::size_t octets_each = 256;

  // Such as have ended that one call forgets: who comes pays for who is gone, but not for all.
  static constexpr std::size_t forgotten_at_a_time = 64;

  explicit Deposits(std::size_t octets_max) : octets_max_(octets_max) {}
  Deposits(const Deposits&) = delete;
  Deposits& operator=(const Deposits&) = delete;

  enum class Kept : std::uint8_t {
    Kept,
    Known,  // that name is there, and its text stays
    Full,   // there is no room for it, and nothing was changed
  };
  // `name`: of nobody's choice (auth/single_use.h).
  Kept keep(std::string_view name, std::string_view text, WallTime until, WallTime now);

  // None: it was never there, has ended, or has been taken.
  std::optional<std::string> take(std::string_view name, WallTime now);

  std::size_t size() const { return by_name_.size(); }
  std::size_t octets() const { return octets_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>()(name);
    }
  };
  struct Deposit;
  using ByName = std::unordered_map<std::string, Deposit, Hash, std::equal_to<>>;
  using Ends = std::multimap<WallTime, std::string_view>;  // names: views of the keys of by_name_
  struct Deposit {
    std::string text;
    Ends::iterator end;
  };

  static std::size_t octets_of(std::string_view name, std::string_view text) {
    return octets_each + name.size() + text.size();
  }
  void forget(ByName::iterator deposit);
  void forget_ended(WallTime now);

  const std::size_t octets_max_;
  std::size_t octets_ = 0;
  ByName by_name_;
  Ends ends_;
};

}  // namespace auth
