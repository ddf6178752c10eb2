// Which tokens are revoked: the instance's copy of what all instances know (CONTRACT section 7).
// Every handshake asks it, on its worker's thread; it is changed on one thread, which hears of
// revocations (control.h). Who asks and then lets a client in hears of a revocation that came
// between: the copy is changed before anybody is told that it was.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/principal.h"
#include "auth/revocation.h"
#include "gateway/keyed_hash.h"

namespace gateway {

class Revocations {
 public:
  // Some 30 MB; 55 MB where all names are as long as they may be.
  static constexpr std::size_t revocations_max = 100'000;

  // What of a credential a revocation may meet besides its subject. Every session keeps one, so a
  // token's id is kept as its keyed hash; two have the same one in 2^64 cases.
  struct Mark {
    std::uint64_t token_id = 0;                        // 0: it has none
    auth::WallTime issued_at = auth::WallTime::min();  // before all, where it does not say
  };

  Revocations() = default;
  Revocations(const Revocations&) = delete;
  Revocations& operator=(const Revocations&) = delete;

  // --- From any thread ---

  Mark mark_of(const auth::Principal& principal) const;

  // Next to nothing as long as nothing is revoked.
  bool meets(std::string_view subject, const Mark& mark, auth::WallTime now) const;

  // The same of an open session, which is closed for it: counted for whatever meets it.
  bool closes(std::string_view subject, const Mark& mark, auth::WallTime now) const;

  // Not loaded: what it does not know may be revoked, so nobody can be let in.
  bool loaded() const { return loaded_.load(std::memory_order_acquire); }
  std::size_t size() const { return size_.load(std::memory_order_acquire); }
  // Since the start: what was revoked or changed, and sessions that were closed for it.
  std::uint64_t applied() const { return applied_.load(std::memory_order_relaxed); }
  std::uint64_t closed() const { return closed_.load(std::memory_order_relaxed); }

  // --- On the one thread that changes it ---

  void set_loaded(bool loaded) { loaded_.store(loaded, std::memory_order_release); }

  struct Change {
    enum class Kind : std::uint8_t {
      New,    // it meets more than before, or longer
      Known,  // it did so already
      Full,   // nothing was changed: `max` are there
    };
    Kind kind;
    auth::Revocation now = {};                    // all that is known of that name; not of Full
    std::optional<auth::Revocation> before = {};  // what that takes the place of
  };
  // `max`: at most revocations_max; a name that is known needs no room.
  Change add(const auth::Revocation& revocation, std::size_t max = revocations_max);

  // Sessions that this name's has closed so far.
  std::uint64_t closed_by(const auth::Revocation& revocation) const;

  // Those that meet nothing any more, at most `max`. Returns whether there may be more.
  bool forget_ended(auth::WallTime now, std::size_t max);

  // Which of them Redis is known to have, in these very words. New ones are not.
  void mark_stored(const auth::Revocation& revocation);  // nothing, if it is another one by now
  void doubt_stored();                                   // none is
  std::vector<auth::Revocation> unstored(std::size_t max) const;
  std::size_t stored_until_after(auth::WallTime time) const;  // how many do not end before

 private:
  struct Entry;
  using Entries = std::list<Entry>;
  using Ends = std::multimap<auth::WallTime, Entries::iterator>;
  struct Entry {
    explicit Entry(const auth::Revocation& its) : revocation(its) {}

    auth::Revocation revocation;
    bool stored = false;
    std::uint64_t token_mark = 0;  // of a token's id
    mutable std::atomic<std::uint64_t> closed = 0;
    Ends::iterator end = {};
  };
  // Clients choose what is looked up.
  struct Hash {
    HashKey key;
    std::size_t operator()(std::string_view name) const { return keyed_hash(key, name); }
  };

  std::uint64_t token_mark(std::string_view token_id) const;
  const Entry* find(std::string_view subject, const Mark& mark, auth::WallTime now) const;
  std::optional<Entries::iterator> find(const auth::Revocation& revocation) const;
  Entries::iterator insert(const auth::Revocation& revocation);
  void change(Entries::iterator entry, const auth::Revocation& now);
  void forget(Entries::iterator entry);
  Entries& list_of(const Entry& entry) { return entry.stored ? stored_ : unstored_; }

  const HashKey hash_key_ = HashKey::random();
  std::atomic<bool> loaded_ = false;
  std::atomic<std::size_t> size_ = 0;
  std::atomic<std::uint64_t> applied_ = 0;
  mutable std::atomic<std::uint64_t> closed_ = 0;

  // Of what follows, and what the entries in it say. The changing thread reads without it.
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string_view, Entries::iterator, Hash> subjects_{0, Hash{hash_key_}};
  std::unordered_map<std::uint64_t, Entries::iterator> tokens_;  // by their marks

  // The changing thread's alone.
  Entries stored_;
  Entries unstored_;
  Ends ends_;
};

}  // namespace gateway
