// What a client asked for in its opening handshake, kept as long as its session: under another
// policy its route is found again by it (CONTRACT section 5). Most clients of a worker ask for the
// same few things, so what is the same is kept once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "gateway/keyed_hash.h"

namespace gateway {

struct Asked {
  static constexpr std::size_t host_octets_max = 1024;
  static constexpr std::size_t origin_octets_max = 1024;

  std::string host;  // the Host field's value; empty where it fits no route's `hosts`
  std::string path;  // decoded; as long as a request's head lets it be
  // Of the Origin field; "null", which is never allowed, where there are several or it is too long.
  // None: there was none.
  std::optional<std::string> origin;
  bool by_cookie = false;  // its credential was in one: it needs an Origin where that is checked

  bool operator==(const Asked&) const = default;
};

// On one thread. It outlives what it gave out.
class AskedTable {
  struct Kept;

 public:
  AskedTable() = default;
  AskedTable(const AskedTable&) = delete;
  AskedTable& operator=(const AskedTable&) = delete;

  // One who asked; the last one of the same takes it out of the table. 8 octets.
  class Entry {
   public:
    Entry() = default;  // empty
    Entry(Entry&& other) noexcept : kept_(std::exchange(other.kept_, nullptr)) {}
    Entry& operator=(Entry&& other) noexcept {
      std::swap(kept_, other.kept_);
      return *this;
    }
    ~Entry();

    const Asked& operator*() const;
    const Asked* operator->() const { return &**this; }

   private:
    friend class AskedTable;
    explicit Entry(Kept& kept) : kept_(&kept) {}

    Kept* kept_ = nullptr;
  };

  Entry keep(Asked asked);

  std::size_t size() const { return kept_.size(); }

 private:
  // Clients choose what is in it.
  struct Hash {
    HashKey key;
    std::size_t operator()(const Asked& asked) const;
  };
  struct Kept {
    AskedTable* table = nullptr;
    const Asked* asked = nullptr;
    std::size_t users = 0;
  };

  std::unordered_map<Asked, Kept, Hash> kept_{0, Hash{HashKey::random()}};
};

}  // namespace gateway
