// Rooms by key and by number. A number travels in letters between threads instead of the key: it
// needs no hashing, and one that was given out before its room died finds nothing, also when a room
// of the same key has come to life since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "gateway/keyed_hash.h"

namespace gateway {

// `Owner` tells the numbers of different tables apart.
template <typename Owner>
struct RoomId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0: no room. Wraps after 2^32 rooms of one slot

  bool operator==(const RoomId&) const = default;
};

// What a Room of a table is made of besides what its owner keeps in it.
template <typename Owner>
struct TabledRoom {
  std::string key;
  std::uint64_t key_hash = 0;
  RoomId<Owner> id;
};

// Every operation is O(1) however many rooms there are. Rooms stay where they are in memory.
// Clients choose the keys, hence the keyed hash. Room is a TabledRoom<Owner>.
template <typename Room, typename Owner>
class RoomTable {
 public:
  std::size_t size() const { return by_key_.size(); }

  Room* find(std::string_view key) const {
    const auto found = by_key_.find(Key{key, keyed_hash(hash_key_, key)});
    return found == by_key_.end() ? nullptr : found->room;
  }

  Room* find(RoomId<Owner> id) const {
    if (id.slot >= slots_.size() || slots_[id.slot].generation != id.generation) return nullptr;
    return slots_[id.slot].room.get();
  }

  // Numbers of slots are below this; in one there is a room or none (null).
  std::size_t slots() const { return slots_.size(); }
  const Room* in_slot(std::size_t slot) const { return slots_[slot].room.get(); }

  // The room of that key, and whether it is a new one.
  std::pair<Room*, bool> find_or_add(std::string_view key) {
    const Key wanted{key, keyed_hash(hash_key_, key)};
    const auto found = by_key_.find(wanted);
    if (found != by_key_.end()) return {found->room, false};
    return {&add(wanted), true};
  }

  // Out of the table, for its caller to end.
  std::unique_ptr<Room> take(Room& room) {
    by_key_.erase(by_key_.find(Key{room.key, room.key_hash}));
    free_slots_.push_back(room.id.slot);
    return std::move(slots_[room.id.slot].room);
  }

 private:
  struct Key {
    std::string_view octets;
    std::uint64_t hash;
  };
  struct Entry {
    std::uint64_t hash;
    Room* room;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Key& key) const noexcept { return key.hash; }
    std::size_t operator()(const Entry& entry) const noexcept { return entry.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const { return a.room == b.room; }
    bool operator()(const Key& key, const Entry& entry) const {
      return key.hash == entry.hash && key.octets == entry.room->key;
    }
  };
  struct Slot {
    std::unique_ptr<Room> room;
    std::uint32_t generation = 0;
  };

  Room& add(const Key& key) {
    const std::uint32_t number = free_slot();
    Slot& slot = slots_[number];
    if (++slot.generation == 0) ++slot.generation;
    slot.room = std::make_unique<Room>();
    slot.room->key = key.octets;
    slot.room->key_hash = key.hash;
    slot.room->id = {number, slot.generation};
    by_key_.insert({key.hash, slot.room.get()});
    return *slot.room;
  }

  std::uint32_t free_slot() {
    if (free_slots_.empty()) {
      slots_.emplace_back();
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t number = free_slots_.back();
    free_slots_.pop_back();
    return number;
  }

  const HashKey hash_key_ = HashKey::random();
  std::unordered_set<Entry, Hash, Equal> by_key_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace gateway
