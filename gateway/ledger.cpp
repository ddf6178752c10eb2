#include "gateway/ledger.h"

#include <algorithm>
#include <cstring>
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

// With the limit that it was last asked by: routes differ, and a search for full ones meets all.
struct Bucket {
  auth::TokenBucket permits;
  auth::RateLimit limit;

  Bucket(const auth::RateLimit& limit, Ledger::Time now) : permits(limit, now), limit(limit) {}

  bool full(Ledger::Time now) const { return permits.full(limit, now); }

  std::chrono::milliseconds take(const auth::RateLimit& current, Ledger::Time now) {
    limit = current;
    return permits.take(limit, now) ? std::chrono::milliseconds::zero()
                                    : permits.wait_for(limit, now);
  }
};

}  // namespace

struct Ledger::Key {
  std::uint64_t hash;
  std::string text;

  bool operator==(const Key&) const = default;
};

struct Ledger::KeyHash {
  std::size_t operator()(const Key& key) const noexcept { return key.hash; }
};

// The connections of one name. Its key stays where it is as long as it is in the table.
struct Ledger::Tally {
  Shard* shard = nullptr;
  const Key* key = nullptr;
  std::uint32_t connections = 0;
};

// Apart by a cache line, so that workers in different shards do not disturb each other.
struct alignas(64) Ledger::Shard {
  std::mutex mutex;
  std::unordered_map<Key, Tally, KeyHash> tallies;
  std::unordered_map<Key, Bucket, KeyHash> buckets;
  std::unordered_map<std::size_t, Bucket> overflow;  // by route, for which the policy has a bound
  std::size_t sweep_at = sweep_buckets_min;
  Time next_sweep = Time::min();

  Bucket& bucket_of(Key key, std::size_t route, const auth::RateLimit& limit, Time now) {
    if (const auto known = buckets.find(key); known != buckets.end()) return known->second;
    if (!make_room(now)) return overflow.try_emplace(route, limit, now).first->second;
    return buckets.try_emplace(std::move(key), limit, now).first->second;
  }

  bool make_room(Time now) {
    if (buckets.size() >= sweep_at && now >= next_sweep) {
      std::erase_if(buckets, [now](const auto& entry) { return entry.second.full(now); });
      sweep_at = std::clamp(2 * buckets.size(), sweep_buckets_min, shard_buckets_max);
      next_sweep = now + sweep_interval_min;
    }
    return buckets.size() < shard_buckets_max;
  }
};

Ledger::Ledger(std::uint32_t connections_max)
    : connections_max_(connections_max), shards_(std::make_unique<Shard[]>(shards)) {}

Ledger::~Ledger() = default;

Ledger::Connection Ledger::accept() {
  std::uint32_t open = open_;
  do {
    if (open >= connections_max_) return {};
  } while (!open_.compare_exchange_weak(open, open + 1));
  ++admitting_;
  return {open_, admitting_};
}

std::chrono::milliseconds Ledger::take_handshake(std::size_t route, const proxy::IpAddress& address,
                                                 const auth::RateLimit& limit, Time now) {
  if (!limit.limited()) return std::chrono::milliseconds::zero();
  Key key = key_of(Kind::Handshakes, route, octets_of(address.limit_key()));
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  return shard.bucket_of(std::move(key), route, limit, now).take(limit, now);
}

std::optional<Ledger::Count> Ledger::count_address(std::size_t route,
                                                   const proxy::IpAddress& address,
                                                   std::uint32_t connections_max) {
  if (connections_max == 0) return Count();
  return count(key_of(Kind::Address, route, octets_of(address.limit_key())), connections_max);
}

std::optional<Ledger::Count> Ledger::count_subject(std::size_t route, std::string_view subject,
                                                   std::uint32_t connections_max) {
  if (connections_max == 0) return Count();
  return count(key_of(Kind::Subject, route, subject), connections_max);
}

std::optional<Ledger::Count> Ledger::count(Key key, std::uint32_t connections_max) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto [entry, added] = shard.tallies.try_emplace(std::move(key));
  Tally& tally = entry->second;
  if (added) {
    tally.shard = &shard;
    tally.key = &entry->first;
  }
  if (tally.connections >= connections_max) return std::nullopt;
  ++tally.connections;
  return Count(tally);
}

void Ledger::Count::Release::operator()(Tally* tally) const {
  Shard& shard = *tally->shard;
  const std::lock_guard lock(shard.mutex);
  if (--tally->connections == 0) shard.tallies.erase(shard.tallies.find(*tally->key));
}

Ledger::Sizes Ledger::sizes() const {
  Sizes sizes;
  for (std::size_t i = 0; i < shards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    sizes.names += shards_[i].tallies.size();
    sizes.buckets += shards_[i].buckets.size() + shards_[i].overflow.size();
  }
  return sizes;
}

Ledger::Key Ledger::key_of(Kind kind, std::size_t route, std::string_view name) const {
  std::string text(1 + sizeof route + name.size(), static_cast<char>(kind));
  std::memcpy(text.data() + 1, &route, sizeof route);
  name.copy(text.data() + 1 + sizeof route, name.size());
  return {.hash = keyed_hash(hash_key_, text), .text = std::move(text)};
}

// By the upper bits: the tables in a shard divide by the lower ones.
Ledger::Shard& Ledger::shard_of(const Key& key) {
  static_assert(shards == 64);
  return shards_[key.hash >> 58];
}

}  // namespace gateway
