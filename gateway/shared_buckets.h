// The buckets of subjects that all instances share, in Redis: the questions that the Ledger's
// leases have, asked by the batch, and their answers. While nobody answers the instance's own
// buckets decide alone.
//
// A bucket is the key <prefix>:limit:<route>:<subject>, a text of its permits and when that was, by
// the clock of Redis; it expires when the bucket is full again.
//
// On worker 0's thread, where the Store is; the other workers' letters come through an Inbox.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/ledger.h"
#include "gateway/shared_letters.h"
#include "gateway/stored_script.h"
#include "proxy/flush_list.h"
#include "proxy/store.h"
#include "proxy/timers.h"

namespace gateway {

class SharedBuckets final : public PermitsPort,
                            public proxy::Store::Resident,
                            private proxy::FlushList::Member,
                            private StoredScript::Observer {
 public:
  // Subjects that are asked for at a time: so many that Redis makes nobody wait.
  static constexpr std::size_t batch_max = 128;

  // All outlive it. It attaches itself.
  SharedBuckets(proxy::Timers& timers, proxy::FlushList& flushes, proxy::Store& store,
                Ledger& ledger, Audit& audit, std::string_view prefix);

  bool post(PermitsWanted wanted) override;

  // From any thread. Questions of subjects since the start, those of them that had no answer, and
  // whether there are answers now.
  std::uint64_t asked() const { return asked_.load(std::memory_order_relaxed); }
  std::uint64_t unanswered() const { return unanswered_.load(std::memory_order_relaxed); }
  bool sharing() const { return sharing_.load(std::memory_order_relaxed); }

 private:
  using Batch = std::vector<PermitsWanted>;

  std::string_view channel() const override { return {}; }
  void on_text(std::string_view) override {}
  void on_up() override;
  void on_down() override { script_.on_down(); }
  void on_usable() override { set_sharing(true); }
  void on_useless() override { set_sharing(false); }
  void flush() override;

  void set_sharing(bool on);
  void ask(Batch batch);
  void read(Batch& batch, const proxy::RedisReply* reply);
  void settle(PermitsWanted& wanted, const std::optional<Lease::Answer>& answer);

  proxy::Timers& timers_;
  proxy::Store& store_;
  Ledger& ledger_;
  const std::string prefix_;
  StoredScript script_;
  Batch wanted_;
  std::atomic<std::uint64_t> asked_ = 0;
  std::atomic<std::uint64_t> unanswered_ = 0;
  std::atomic<bool> sharing_ = false;
};

}  // namespace gateway
