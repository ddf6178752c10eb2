// What the instances of a gateway tell each other besides what is said in rooms (CONTRACT section
// 7): what is revoked, and which connection is to be closed. Live revocations are the sorted set
// `<prefix>:revocations`; each member is scored by its end in milliseconds, and both it and what is
// said of it on the channel `<prefix>:control` are as auth/revocation.h writes it. A connection is
//   {"type":"close","connection":"0123456789abcdef"}
//
// What Redis does not have and this instance knows is stored again: what was revoked while Redis
// was away, and what it lost.
//
// One per instance, on worker 0's thread. Without join() there is this instance alone.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "auth/revocation.h"
#include "gateway/audit.h"
#include "gateway/connection_id.h"
#include "gateway/elsewhere.h"
#include "gateway/revocation_request.h"
#include "gateway/revocations.h"
#include "gateway/sweeps.h"
#include "proxy/address.h"
#include "proxy/store.h"
#include "proxy/timers.h"

namespace gateway {

class Control final : private proxy::Store::Resident {
 public:
  // Members that Redis is asked for at a time, and those that are stored again. With their scores
  // they are half of what a reply may be made of: Redis gives some more than it was asked for.
  static constexpr std::size_t slice = 250;
  // Live revocations from which on no more are taken from who asks: what other instances took at
  // the same time has room still. Who cannot keep what it hears of lets nobody in.
  static constexpr std::size_t asked_max = Revocations::revocations_max - 1'000;
  // Members of the set, also such as are none: over it the bus is given up.
  static constexpr std::size_t members_max = 2 * Revocations::revocations_max;
  // Of looking after what has ended and what Redis does not have.
  static constexpr std::chrono::seconds tidy_interval{10};
  static constexpr std::size_t forgotten_at_a_time = 2'000;

  // `longest_token`: how long a token may be good that is now. All but it outlive this.
  Control(proxy::Timers& timers, Revocations& revocations, Sweeps& sweeps, Audit& audit,
          std::chrono::milliseconds longest_token);
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // Once, before the bus starts; nothing is loaded until then. `prefix`: before ':' and the names.
  void join(proxy::Store& store, std::string_view prefix);

  // What came of a revocation. It holds here already when this is answered, but for TooMany.
  enum class Outcome : std::uint8_t {
    Stored,    // Redis has it, and other instances hear of it
    Unstored,  // as far as is known; it will be, when Redis is back
    TooMany,   // nothing was done
  };
  using Answer = std::move_only_function<void(Outcome)>;
  void revoke(const RevocationRequest& request, const proxy::IpAddress& asked_by, Answer answer);

  // For revocations from then on. On its thread.
  void set_longest_token(std::chrono::milliseconds longest) { longest_token_ = longest; }

  void close_elsewhere(const ConnectionId& connection, std::move_only_function<void(Elsewhere)>);

  // From any thread: texts on the channel and members of the set that are none of the forms above.
  std::uint64_t invalid() const { return invalid_.load(std::memory_order_relaxed); }

 private:
  enum class State : std::uint8_t { Down, Loading, Up };

  std::string_view channel() const override { return channel_; }
  void on_text(std::string_view text) override;
  void on_up() override;
  void on_down() override { state_ = State::Down; }

  auth::WallTime now() const;
  void drop() { invalid_.fetch_add(1, std::memory_order_relaxed); }
  Revocations::Change add(const auth::Revocation& revocation, std::size_t max);
  void hear(const auth::Revocation& revocation);
  void give_up_full();

  void scan(std::string_view cursor);
  void on_scanned(const proxy::RedisReply& reply);
  bool load(std::string_view member);
  void on_loaded();

  bool store(const Revocations::Change& change, proxy::Store::Answer answer);
  void store_missing();
  void on_missing_stored(bool stored);
  void finish_storing();

  void tidy();
  bool remove_ended();  // from the set; false: it could not be asked
  void tidy_store();

  proxy::Timers& timers_;
  Revocations& revocations_;
  Sweeps& sweeps_;
  Audit& audit_;
  std::chrono::milliseconds longest_token_;
  proxy::Store* store_ = nullptr;  // null: there is no Redis
  std::string channel_;
  std::string key_;
  State state_ = State::Down;
  std::size_t members_ = 0;     // that were loaded since on_up()
  std::size_t storing_ = 0;     // of a slice that is stored again, without an answer
  bool storing_fails_ = false;  // one of the slice was not stored
  std::atomic<std::uint64_t> invalid_ = 0;
  proxy::Timer tidy_;
};

}  // namespace gateway
