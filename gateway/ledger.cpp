#include "gateway/ledger.h"

#include <algorithm>
#include <cassert>
#include <mutex>
#include <string>
#include <unordered_map>

namespace gateway {
namespace {

// Full buckets of a shard are looked for when it has grown to twice what the last search left, and
// never more often than this: a newcomer pays for it, and the shard is locked meanwhile.
constexpr std::size_t sweep_buckets_min = 64;
constexpr std::chrono::milliseconds sweep_interval_min{100};

// A limit_key() as octets: IPv4 and IPv6 differ in length, hence never meet.
std::string_view octets_of(const proxy::IpAddress& limit_key) {
  return {reinterpret_cast<const char*>(limit_key.octets().data()),
          limit_key.is_v4() ? std::size_t{4} : limit_key.octets().size()};
}

}  // namespace

// With the limit that it was last asked by: routes differ, and a search for full ones meets all.
struct Ledger::Bucket {
  auth::TokenBucket permits;
  auth::RateLimit limit;

  Bucket(const auth::RateLimit& limit, Time now) : permits(limit, now), limit(limit) {}

  bool forgettable(Time now) const { return permits.full(limit, now); }

  std::chrono::milliseconds take(const auth::RateLimit& current, Time now) {
    limit = current;
    return permits.take(limit, now) ? std::chrono::milliseconds::zero()
                                    : permits.wait_for(limit, now);
  }
};

struct Ledger::LeasedBucket {
  Bucket own;
  Lease lease;

  LeasedBucket(const auth::RateLimit& limit, Time now) : own(limit, now) {}

  bool forgettable(Time now) const { return own.forgettable(now) && lease.idle(); }

  // What is refused elsewhere costs nothing here.
  Lease::Verdict take(const auth::RateLimit& limit, Time now) {
    const auto wait = own.permits.wait_for(limit, now);
    if (wait > wait.zero()) return {Lease::Verdict::Kind::Refuse, wait};
    const auto verdict = lease.take(limit, now);
    if (verdict.kind == Lease::Verdict::Kind::Pass) own.take(limit, now);
    return verdict;
  }
};

struct Ledger::Key {
  std::string octets;
  std::uint64_t hash;
  std::uint64_t route;
  Kind kind;

  explicit Key(const Name& name)
      : octets(name.octets_), hash(name.hash_), route(name.route_), kind(name.kind_) {}
};

struct Ledger::KeyHash {
  using is_transparent = void;
  std::size_t operator()(const Key& key) const noexcept { return key.hash; }
  std::size_t operator()(const Name& name) const noexcept { return name.hash_; }
};

struct Ledger::KeyEqual {
  using is_transparent = void;
  bool operator()(const Key& a, const Key& b) const {
    return equal(a, b.hash, b.route, b.kind, b.octets);
  }
  bool operator()(const Name& name, const Key& key) const {
    return equal(key, name.hash_, name.route_, name.kind_, name.octets_);
  }
  static bool equal(const Key& key, std::uint64_t hash, std::uint64_t route, Kind kind,
                    std::string_view octets) {
    return key.hash == hash && key.route == route && key.kind == kind && key.octets == octets;
  }
};

// The connections of one name. Its key stays where it is as long as it is in the table.
struct Ledger::Tally {
  Shard* shard = nullptr;
  const Key* key = nullptr;
  std::uint32_t connections = 0;
};

// The buckets of one kind in one shard.
template <typename Kept>
struct Ledger::Table {
  std::unordered_map<Key, Kept, KeyHash, KeyEqual> by_name;
  std::unordered_map<std::uint64_t, Bucket> overflow;  // by route, for which the policy has a bound
  std::size_t sweep_at = sweep_buckets_min;
  Time next_sweep = Time::min();

  // Null: there is no room for another.
  Kept* of(const Name& name, const auth::RateLimit& limit, Time now) {
    if (const auto known = by_name.find(name); known != by_name.end()) return &known->second;
    return make_room(now) ? &by_name.try_emplace(Key(name), limit, now).first->second : nullptr;
  }

  Bucket& overflow_of(const Name& name, const auth::RateLimit& limit, Time now) {
    return overflow.try_emplace(name.route_, limit, now).first->second;
  }

  bool make_room(Time now) {
    if (by_name.size() >= sweep_at && now >= next_sweep) {
      const auto forgettable = [now](const auto& entry) { return entry.second.forgettable(now); };
      std::erase_if(by_name, forgettable);
      std::erase_if(overflow, forgettable);  // of routes that are gone, too
      sweep_at = std::clamp(2 * by_name.size(), sweep_buckets_min, shard_buckets_max);
      next_sweep = now + sweep_interval_min;
    }
    return by_name.size() < shard_buckets_max;
  }

  std::size_t size() const { return by_name.size() + overflow.size(); }
};

// Apart by a cache line, so that workers in different shards do not disturb each other.
struct alignas(64) Ledger::Shard {
  std::mutex mutex;
  std::unordered_map<Key, Tally, KeyHash, KeyEqual> tallies;
  Table<Bucket> buckets[bucket_kinds];
  Table<LeasedBucket> leased;
  auth::Deposits tokens{deposits_octets_max / shards};
  auth::Deposits tickets{deposits_octets_max / shards};
};

Ledger::Ledger(std::uint32_t connections_max, std::size_t queued_max)
    : connections_max_(connections_max),
      queued_max_(queued_max),
      shards_(std::make_unique<Shard[]>(shards)) {}

Ledger::~Ledger() = default;

Ledger::Connection Ledger::accept() {
  std::uint32_t open = open_;
  do {
    if (open >= connections_max_) return {};
  } while (!open_.compare_exchange_weak(open, open + 1));
  ++admitting_;
  return {open_, admitting_};
}

std::chrono::milliseconds Ledger::take_handshake(std::uint64_t route,
                                                 const proxy::IpAddress& address,
                                                 const auth::RateLimit& limit, Time now) {
  if (!limit.limited()) return std::chrono::milliseconds::zero();
  return take(name_of(Kind::Handshakes, route, octets_of(address.limit_key())), limit, now);
}

std::chrono::milliseconds Ledger::take_ticket_request(std::uint64_t route, std::string_view subject,
                                                      const auth::RateLimit& limit, Time now) {
  return take(name_of(Kind::TicketRequests, route, subject), limit, now);
}

Ledger::Name Ledger::subject_name(std::uint64_t route, std::string_view subject) const {
  return name_of(Kind::SubjectMessages, route, subject);
}

Ledger::Name Ledger::shared_subject_name(std::uint64_t route, std::string_view subject) const {
  return name_of(Kind::SharedMessages, route, subject);
}

Ledger::Name Ledger::room_name(std::string_view room_key) const {
  return name_of(Kind::RoomMessages, 0, room_key);
}

std::chrono::milliseconds Ledger::take_message(const Name& name, const auth::RateLimit& limit,
                                               Time now) {
  return limit.limited() ? take(name, limit, now) : std::chrono::milliseconds::zero();
}

std::chrono::milliseconds Ledger::take(const Name& name, const auth::RateLimit& limit, Time now) {
  Shard& shard = shard_of(name.hash_);
  const std::lock_guard lock(shard.mutex);
  auto& buckets = shard.buckets[static_cast<std::size_t>(name.kind_)];
  Bucket* bucket = buckets.of(name, limit, now);
  return (bucket ? *bucket : buckets.overflow_of(name, limit, now)).take(limit, now);
}

Lease::Verdict Ledger::take_shared_message(const Name& name, const auth::RateLimit& limit,
                                           Time now) {
  using Kind = Lease::Verdict::Kind;
  const bool sharing = sharing_.load(std::memory_order_relaxed);
  Shard& shard = shard_of(name.hash_);
  const std::lock_guard lock(shard.mutex);
  LeasedBucket* bucket = shard.leased.of(name, limit, now);
  if (bucket && sharing) return bucket->take(limit, now);
  Bucket& own = bucket ? bucket->own : shard.leased.overflow_of(name, limit, now);
  const auto wait = own.take(limit, now);
  return wait == wait.zero() ? Lease::Verdict{} : Lease::Verdict{Kind::Refuse, wait};
}

std::optional<Lease::Question> Ledger::settle(const Name& name, const auth::RateLimit& limit,
                                              const std::optional<Lease::Answer>& answer,
                                              Time now) {
  Shard& shard = shard_of(name.hash_);
  const std::lock_guard lock(shard.mutex);
  const auto known = shard.leased.by_name.find(name);
  if (known == shard.leased.by_name.end()) return std::nullopt;
  Lease& lease = known->second.lease;
  if (answer) return lease.answered(*answer, limit, now);
  lease.unanswered();
  return std::nullopt;
}

bool Ledger::reserve_queued(std::size_t octets) {
  std::size_t queued = queued_.load(std::memory_order_relaxed);
  do {
    if (octets > queued_max_ - queued) return false;
  } while (!queued_.compare_exchange_weak(queued, queued + octets, std::memory_order_relaxed));
  return true;
}

void Ledger::release_queued(std::size_t octets) {
  const std::size_t queued = queued_.fetch_sub(octets, std::memory_order_relaxed);
  assert(octets <= queued);
  static_cast<void>(queued);
}

std::optional<Ledger::Count> Ledger::count_address(std::uint64_t route,
                                                   const proxy::IpAddress& address,
                                                   std::uint32_t connections_max) {
  if (connections_max == 0) return Count();
  return count(name_of(Kind::Address, route, octets_of(address.limit_key())), connections_max);
}

std::optional<Ledger::Count> Ledger::count_subject(std::uint64_t route, std::string_view subject,
                                                   std::uint32_t connections_max) {
  if (connections_max == 0) return Count();
  return count(name_of(Kind::Subject, route, subject), connections_max);
}

std::optional<Ledger::Count> Ledger::count(const Name& name, std::uint32_t connections_max) {
  Shard& shard = shard_of(name.hash_);
  const std::lock_guard lock(shard.mutex);
  auto entry = shard.tallies.find(name);
  if (entry == shard.tallies.end()) {
    entry = shard.tallies.try_emplace(Key(name)).first;
    entry->second.shard = &shard;
    entry->second.key = &entry->first;
  }
  Tally& tally = entry->second;
  if (tally.connections >= connections_max) return std::nullopt;
  ++tally.connections;
  return Count(tally);
}

void Ledger::Count::Release::operator()(Tally* tally) const {
  Shard& shard = *tally->shard;
  const std::lock_guard lock(shard.mutex);
  if (--tally->connections == 0) shard.tallies.erase(shard.tallies.find(*tally->key));
}

auth::Deposits::Kept Ledger::mark_token(std::string_view name, auth::WallTime until,
                                        auth::WallTime now) {
  Shard& shard = shard_of(keyed_hash(hash_key_, name));
  const std::lock_guard lock(shard.mutex);
  return shard.tokens.keep(name, {}, until, now);
}

auth::Deposits::Kept Ledger::keep_ticket(std::string_view name, std::string_view grant,
                                         auth::WallTime until, auth::WallTime now) {
  Shard& shard = shard_of(keyed_hash(hash_key_, name));
  const std::lock_guard lock(shard.mutex);
  return shard.tickets.keep(name, grant, until, now);
}

std::optional<std::string> Ledger::take_ticket(std::string_view name, auth::WallTime now) {
  Shard& shard = shard_of(keyed_hash(hash_key_, name));
  const std::lock_guard lock(shard.mutex);
  return shard.tickets.take(name, now);
}

Ledger::Sizes Ledger::sizes() const {
  Sizes sizes;
  for (std::size_t i = 0; i < shards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    sizes.names += shards_[i].tallies.size();
    for (const auto& buckets : shards_[i].buckets) sizes.buckets += buckets.size();
    sizes.buckets += shards_[i].leased.size();
  }
  return sizes;
}

// The few kinds and routes that share a name share its hash: only names are many, and chosen by
// others.
Ledger::Name Ledger::name_of(Kind kind, std::uint64_t route, std::string_view octets) const {
  return {kind, route, octets, keyed_hash(hash_key_, octets)};
}

// By the upper bits: the tables in a shard divide by the lower ones.
Ledger::Shard& Ledger::shard_of(std::uint64_t hash) {
  static_assert(shards == 64);
  return shards_[hash >> 58];
}

}  // namespace gateway
