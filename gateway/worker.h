// One worker: a thread with a loop, its listeners, and the clients that the kernel gave it. What
// it shares with other workers are the Ledger, the copy of what is revoked, and the log; rooms are
// joined by the Exchange.
#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "auth/rule_of_room.h"
#include "gateway/admission.h"
#include "gateway/adoption_walk.h"
#include "gateway/asked.h"
#include "gateway/drain.h"
#include "gateway/envelope.h"
#include "gateway/key_ring.h"
#include "gateway/metrics.h"
#include "gateway/revocations.h"
#include "gateway/rooms.h"
#include "gateway/served_policy.h"
#include "gateway/session.h"
#include "gateway/session_stores.h"
#include "gateway/survey.h"
#include "gateway/worker_counters.h"
#include "proxy/listener.h"
#include "proxy/loop.h"
#include "proxy/mailbox.h"

namespace gateway {

class Worker final : private Admission::Host, private Session::Host {
 public:
  // `exchange`: where this worker's letters to it go. `ask_for_key` is called on its own thread,
  // and answered by learn(). `on_drained` is called once there, when its last client is gone after
  // drain().
  Worker(unsigned index, std::shared_ptr<const ServedPolicy> served, Ledger& ledger,
         const Revocations& revocations, Log& log, ExchangePort& exchange, KeyRing::Ask ask_for_key,
         std::function<void()> on_drained);
  ~Worker();

  // What it counts together with other instances goes there. Once, before run(), where the policy
  // has a Redis; both outlive the last letter.
  void share(PermitsPort& permits, CountsPort& counts);

  // What serves once is asked for there. Once, before run(); it outlives the last letter.
  void ask_deposits(DepositsPort& deposits) { depositing_.join(deposits); }

  // Before run(). `sockets`: those of the policy's Unix addresses. The error says which address,
  // and why.
  std::expected<void, std::string> listen(
      std::span<const std::unique_ptr<proxy::UnixSocket>> sockets);

  void run();  // on its thread, until stop()

  // From any thread. drain(): as the policy says from when it stops listening on. stop(): clients
  // that are still open are told so and cut.
  void drain();
  void stop();
  void survey(Survey survey);
  void learn(KeyNews news);

  // Between two of its events the one takes the place of the other; what is known of the keys of
  // its authenticators comes with it. Then every session is asked, by the slice, and `answer`
  // called on the worker's thread when all have been.
  using AdoptionAnswer = std::move_only_function<void(const AdoptionTally&)>;
  void adopt(std::shared_ptr<const ServedPolicy> served, std::vector<KeyNews> news,
             AdoptionAnswer answer);

  // For what lives on its thread besides it.
  proxy::Loop& loop() override { return loop_; }

  // For what others have to say to it: its mailbox, and who reads letters about rooms there.
  proxy::Mailbox& mailbox() { return mailbox_; }
  WorkerPort& rooms() { return rooms_; }
  CountedPort& counted() { return counting_; }
  DepositAnswersPort& deposited() { return depositing_; }

  // From any thread. `served`: what it was given last.
  WorkerMetrics metrics(const ServedPolicy& served) const {
    return {counters_, refusals_, rooms_, served, loop_.iterations()};
  }

  // Clients that stop() cut off; after run().
  std::uint32_t clients() const { return static_cast<std::uint32_t>(sessions_.size()); }

 private:
  using Admissions = std::list<std::unique_ptr<Admission>>;

  // One listener, and which it is: what the policy says of it is asked for each client.
  struct Entrance final : proxy::Listener::Observer {
    Entrance(Worker& its_worker, proxy::ListenAddress its_address)
        : worker(its_worker), address(std::move(its_address)) {}
    void on_accept(std::unique_ptr<proxy::Transport> transport,
                   const proxy::IpAddress& peer) override {
      worker.on_accept(*this, std::move(transport), peer);
    }

    Worker& worker;
    const proxy::ListenAddress address;
    std::unique_ptr<proxy::Listener> listener;
  };

  void on_accept(const Entrance& entrance, std::unique_ptr<proxy::Transport> transport,
                 const proxy::IpAddress& peer);

  proxy::Timers& timers() override { return loop_.timers(); }
  proxy::FlushList& flushes() override { return loop_.flushes(); }
  const std::shared_ptr<const ServedPolicy>& served() override { return served_; }
  AskedTable& asked() override { return asked_; }
  AdoptionTally& adoptions() override { return adoptions_; }
  Ledger& ledger() override { return ledger_; }
  const Revocations& revocations() override { return revocations_; }
  Counting& counting() override { return counting_; }
  Depositing& depositing() override { return depositing_; }
  KeyRing& key_ring() override { return key_ring_; }
  SessionStore& session_store(const SessionSettings& settings) override {
    return session_stores_.of(settings.redis);
  }
  bool draining() override { return drain_.begun(); }
  std::string drain_reason() override { return Drain::reason(); }
  EnvelopeReader& envelopes() override { return reader_; }
  Audit& audit() override { return audit_; }
  RefusalSampler& refusals() override { return refusals_; }
  WorkerCounters& counters() override { return counters_; }
  const RoomServices& room_services() override { return room_services_; }
  unsigned worker_index() override { return index_; }
  void on_admitted(AdmittedClient client) override;
  void retire(Admission& admission) override;
  void retire(Session& session) override;

  void make_room();
  void on_second();
  void on_drain();
  void check_drained();

  unsigned index_;
  std::shared_ptr<const ServedPolicy> served_;
  Ledger& ledger_;
  const Revocations& revocations_;
  WorkerCounters counters_;
  Audit audit_;
  RefusalSampler refusals_;
  std::function<void()> on_drained_;
  proxy::Loop loop_;
  proxy::Mailbox mailbox_;
  Rooms rooms_;
  EnvelopeReader reader_;
  auth::RuleOfRoom rule_of_room_;
  RoomServices room_services_{rooms_, reader_, ledger_, rule_of_room_};
  Counting counting_;
  Depositing depositing_;
  KeyRing key_ring_;
  SessionStores session_stores_;
  AskedTable asked_;
  AdoptionTally adoptions_;  // of the policy that is served now
  std::vector<std::unique_ptr<Entrance>> entrances_;
  Admissions admissions_;      // the oldest first
  std::size_t uncounted_ = 0;  // admissions beyond connections_max
  std::vector<std::unique_ptr<Session>> sessions_;
  Drain drain_;
  bool drained_ = false;
  proxy::Timer second_;
};

}  // namespace gateway
