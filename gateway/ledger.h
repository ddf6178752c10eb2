// What an instance counts: open connections, connections and handshakes of an address, connections
// and messages of a subject, messages of a room, octets queued, what served once; and what it holds
// of that which instances count together. The one thing that workers share
// and change, so that a limit of the policy is one of the instance, whatever `workers` is. May be
// called from any thread. It is sharded and bounded, takes one lock a call, calls nobody, does no
// I/O and is told the time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "auth/deposits.h"
#include "auth/rate_limit.h"
#include "gateway/keyed_hash.h"
#include "gateway/lease.h"
#include "proxy/address.h"
#include "proxy/queue_budget.h"

namespace gateway {

class Ledger final : public proxy::QueueBudget {
  enum class Kind : std::uint8_t;
  struct Key;
  struct Tally;
  struct Shard;

 public:
  using Time = auth::TokenBucket::Time;

  static constexpr std::size_t shards = 64;
  static constexpr std::size_t shard_buckets_max = 2'048;
  // Of handshakes, of subjects, of their tickets, of shared subjects and of rooms each, so that who
  // crowds one of them does not tighten the others. Some 18 MB; 75 MB where all names are as long
  // as a client can make them.
  static constexpr std::size_t buckets_max = shards * shard_buckets_max;

  // A thousand clients that do not read, with a `send_queue` of 1 MiB each: more is no slow reader
  // any more but an instance that is too small, and should leave its host some memory to say so.
  static constexpr std::size_t queued_octets_max = std::size_t{1} << 30;

  explicit Ledger(std::uint32_t connections_max, std::size_t queued_max = queued_octets_max);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger();  // after everything that it gave out

  // One client connection, from accept on until this is destroyed. Admitting until established().
  class Connection {
   public:
    Connection() = default;  // empty

    explicit operator bool() const { return open_ != nullptr; }
    void established() { admitting_.reset(); }  // the client has its 101

   private:
    friend class Ledger;
    struct CountDown {
      void operator()(std::atomic<std::uint32_t>* count) const { --*count; }
    };
    using Counted = std::unique_ptr<std::atomic<std::uint32_t>, CountDown>;  // by one

    Connection(std::atomic<std::uint32_t>& open, std::atomic<std::uint32_t>& admitting)
        : open_(&open), admitting_(&admitting) {}

    Counted open_;
    Counted admitting_;
  };

  Connection accept();  // empty: connections_max are open

  // From any thread. Who is there already stays.
  void set_connections_max(std::uint32_t max) { connections_max_ = max; }
  std::uint32_t connections_max() const { return connections_max_; }
  std::uint32_t open() const { return open_; }
  std::uint32_t admitting() const { return admitting_; }

  // Are those without a 101 more than half of connections_max? Half-open connections must not keep
  // clients out, so the oldest of them has to go then.
  bool admitting_crowded() const { return std::uint64_t{admitting()} * 2 > connections_max_; }

  // A `route` is its Route::id: what is counted for it goes on under another policy.
  //
  // Takes one handshake permit of this address on this route. Zero: taken, else how long until
  // there is one. Addresses count by limit_key(), so an IPv6 /64 is one.
  // A bucket is remembered until it is full again. An address that comes when its shard has no room
  // left, since shard_buckets_max of others are not full, shares one bucket with all such of the
  // shard and route: under that attack the limit gets tighter and memory does not grow.
  std::chrono::milliseconds take_handshake(std::uint64_t route, const proxy::IpAddress& address,
                                           const auth::RateLimit& limit, Time now);

  // The same of a ticket that a subject asks for.
  std::chrono::milliseconds take_ticket_request(std::uint64_t route, std::string_view subject,
                                                const auth::RateLimit& limit, Time now);

  // A subject on a route, or a room, hashed once for all its messages. Views what it was made of.
  class Name {
    friend class Ledger;
    Name(Kind kind, std::uint64_t route, std::string_view octets, std::uint64_t hash)
        : octets_(octets), hash_(hash), route_(route), kind_(kind) {}

    std::string_view octets_;
    std::uint64_t hash_;
    std::uint64_t route_;
    Kind kind_;
  };
  Name subject_name(std::uint64_t route, std::string_view subject) const;
  Name shared_subject_name(std::uint64_t route, std::string_view subject) const;
  Name room_name(std::string_view room_key) const;  // one on all its routes

  // Takes one permit for a message of a subject, or in a room. As take_handshake(), with
  // buckets_max of each.
  std::chrono::milliseconds take_message(const Name& name, const auth::RateLimit& limit, Time now);

  // The same for a subject whose limit is one of all instances. Its bucket of this instance stands
  // before what is shared, with the same limit: nobody passes more here than one instance may. It
  // decides alone while nobody answers questions, and for a name that shares a bucket with others.
  Lease::Verdict take_shared_message(const Name& name, const auth::RateLimit& limit, Time now);

  // To the question that a verdict on such a message had; none: it has no answer. With another
  // question where something is owed still.
  std::optional<Lease::Question> settle(const Name& name, const auth::RateLimit& limit,
                                        const std::optional<Lease::Answer>& answer, Time now);

  // Are questions answered? Not at first.
  void set_sharing(bool on) { sharing_.store(on, std::memory_order_relaxed); }

  // Octets that wait for clients and backends in the whole process (SECURITY 12). False: there
  // would be more than queued_max, and nothing is reserved. Asked for what a flush left over
  // rather than for each frame: every worker writes to this one count.
  bool reserve_queued(std::size_t octets) override;
  void release_queued(std::size_t octets) override;  // at most what is reserved
  std::size_t queued() const { return queued_.load(std::memory_order_relaxed); }
  std::size_t queued_max() const { return queued_max_; }

  // One connection of an address or a subject on a route, until this is destroyed. Held beside a
  // Connection, so that there are at most connections_max names of each.
  class Count {
   public:
    Count() = default;  // counts nothing

   private:
    friend class Ledger;
    struct Release {
      void operator()(Tally* tally) const;
    };
    explicit Count(Tally& tally) : tally_(&tally) {}

    std::unique_ptr<Tally, Release> tally_;
  };

  // None: connections_max of that name are open already. With connections_max 0 there is no limit,
  // and the Count counts nothing.
  std::optional<Count> count_address(std::uint64_t route, const proxy::IpAddress& address,
                                     std::uint32_t connections_max);
  std::optional<Count> count_subject(std::uint64_t route, std::string_view subject,
                                     std::uint32_t connections_max);

  // What serves once, where no other instance could have seen it (auth/single_use.h has the names):
  // the mark of a token that has been used, and what a ticket stands for. Of each as much as this,
  // which are some 200 000 tokens; each is forgotten at its end.
  static constexpr std::size_t deposits_octets_max = std::size_t{64} << 20;
  auth::Deposits::Kept mark_token(std::string_view name, auth::WallTime until, auth::WallTime now);
  auth::Deposits::Kept keep_ticket(std::string_view name, std::string_view grant,
                                   auth::WallTime until, auth::WallTime now);
  std::optional<std::string> take_ticket(std::string_view name, auth::WallTime now);

  // What it remembers now. Looks into one shard after the other.
  struct Sizes {
    std::size_t names = 0;  // with connections
    std::size_t buckets = 0;
  };
  Sizes sizes() const;

 private:
  // What a name is counted for: the same octets may be an address and a subject. Those with buckets
  // come first.
  enum class Kind : std::uint8_t {
    Handshakes,
    SubjectMessages,
    RoomMessages,
    TicketRequests,
    SharedMessages,
    Address,
    Subject
  };
  static constexpr std::size_t bucket_kinds = 4;  // without leases
  struct Bucket;
  struct LeasedBucket;
  template <typename Kept>
  struct Table;
  struct KeyHash;
  struct KeyEqual;

  Name name_of(Kind kind, std::uint64_t route, std::string_view octets) const;
  Shard& shard_of(std::uint64_t hash);
  std::chrono::milliseconds take(const Name& name, const auth::RateLimit& limit, Time now);
  std::optional<Count> count(const Name& name, std::uint32_t connections_max);

  const HashKey hash_key_ = HashKey::random();
  std::atomic<std::uint32_t> connections_max_;
  const std::size_t queued_max_;
  std::atomic<std::uint32_t> open_ = 0;
  std::atomic<std::uint32_t> admitting_ = 0;
  std::atomic<bool> sharing_ = false;
  const std::unique_ptr<Shard[]> shards_;
  alignas(64) std::atomic<std::size_t> queued_ = 0;  // apart: nothing else is written as often
};

}  // namespace gateway
