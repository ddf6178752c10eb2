// The connections of subjects over all instances, in Redis. A subject's are the hash
// <prefix>:connections:<route>:<subject>, a field for each instance that has some; only fields of
// instances that live count, and an instance lives as long as <prefix>:instance:<id> is there,
// which it renews: what one that crashed has counted is free after alive_for.
//
// What an instance has is counted here and written as a whole, never by one more or one less: a
// write that is lost is made good by the next, and none makes it wrong for good. Where writes may
// have been lost (Redis was away, refused something, has been emptied) the instance goes on under
// another id, so that all it wrote is void, and writes all that it has again, by the batch.
//
// On worker 0's thread, where the Store is; the other workers' letters come through an Inbox.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/shared_letters.h"
#include "gateway/stored_script.h"
#include "proxy/flush_list.h"
#include "proxy/store.h"
#include "proxy/timers.h"

namespace gateway {

class SharedCounts final : public CountsPort,
                           public proxy::Store::Resident,
                           private proxy::FlushList::Member,
                           private StoredScript::Observer {
 public:
  // Subjects of one question or write: so many that Redis makes nobody wait.
  static constexpr std::size_t batch_max = 128;

  static constexpr std::chrono::seconds alive_for{15};
  static constexpr std::chrono::seconds renewed_every{5};

  // A subject's hash is forgotten when no instance has written to it for so long, and each writes
  // all that it has more often.
  static constexpr std::chrono::minutes kept_for{60};
  static constexpr std::chrono::minutes written_every{20};

  // Of ids that were given up and not heard of: an older one is void by its age.
  static constexpr std::size_t void_ids_max = 8;

  // Then the instance's own count decides alone.
  static constexpr std::chrono::seconds answer_late{1};

  // All outlive it. It attaches itself.
  SharedCounts(proxy::Timers& timers, proxy::FlushList& flushes, proxy::Store& store, Audit& audit,
               std::string_view prefix);

  // The next worker, from 0 on; before any of them runs. The port is no call up: it is read later.
  void add_worker(CountedPort& port) { workers_.push_back(&port); }

  bool post(ToSharedCounts letter) override;

  std::size_t clients() const { return clients_.size(); }
  std::size_t subjects() const { return counts_.size(); }

 private:
  using Counts = std::map<std::string, std::uint32_t, std::less<>>;

  struct Client {
    Counts::iterator count;
    unsigned worker;
    bool waits;  // for its answer
  };
  struct Waiting {
    std::uint64_t id;
    proxy::MonotonicTime since;
  };
  // `own`: connections of the key here. `connections_max`: with those of others; 0: however many
  // those are.
  struct Entry {
    std::string key;
    std::uint32_t own;
    std::uint32_t connections_max;
  };
  // To be asked with the rest of the iteration.
  struct Question {
    std::uint64_t id;
    Entry entry;
  };

  std::string_view channel() const override { return {}; }
  void on_text(std::string_view) override {}
  void on_up() override;
  void on_down() override { script_.on_down(); }
  void on_usable() override;
  void on_useless() override { renewal_.disarm(); }
  void flush() override;

  void read(const CountWanted& letter);
  void read(const CountReleased& letter);
  void drop(std::unordered_map<std::uint64_t, Client>::iterator client);
  void answer(std::uint64_t id, bool within);
  void answer_late_ones();

  void begin();
  void renew();
  void write_all();
  void write_next();
  void ask(std::span<const Question> questions);
  void run(std::span<const Entry> entries, proxy::Store::Answer on_answer);

  proxy::Timers& timers_;
  proxy::Store& store_;
  const std::string alive_prefix_;
  const std::string count_prefix_;
  StoredScript script_;
  std::vector<CountedPort*> workers_;

  Counts counts_;  // ordered, so that one batch goes on where another ended
  std::unordered_map<std::uint64_t, Client> clients_;
  std::deque<Waiting> waiting_;  // some may be answered, or gone
  std::vector<Question> questions_;
  std::set<std::string, std::less<>> changed_;  // keys, since the latest flush

  std::string id_;                    // of this instance, as long as nothing that it writes is lost
  std::deque<std::string> void_ids_;  // ours before, until Redis is known to have heard of it
  std::uint64_t epoch_ = 0;           // ids that there were
  bool alive_ = false;                // something has been asked under this id
  bool doubtful_ = false;             // something may be lost
  std::string written_to_;            // the last key of the latest batch
  proxy::MonotonicTime all_written_at_{};
  proxy::Timer renewal_;
  proxy::Timer late_;
};

}  // namespace gateway
