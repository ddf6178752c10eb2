// What serves once, where instances share a Redis: one atomic command for each use, so that of all
// who try at once one succeeds. A used token is the key <prefix>:once:<name>, kept until the token
// would be refused anyway; a ticket is <prefix>:ticket:<name>, kept as long as it is good. Nobody
// else's word takes the place of Redis's: while it is away, nothing serves.
//
// On worker 0's thread, where the Store is; the other workers' letters come through an Inbox.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/audit.h"
#include "gateway/deposit_letters.h"
#include "proxy/store.h"

namespace gateway {

class DepositsInRedis final : public DepositsPort {
 public:
  // How often the log is told at most that Redis refuses what it is asked.
  static constexpr std::chrono::seconds said_every{10};

  // All outlive it.
  DepositsInRedis(proxy::Store& store, Audit& audit, std::string_view prefix);

  // The next worker, from 0 on; before any of them runs. The port is no call up: it is read later.
  void add_worker(DepositAnswersPort& port) { workers_.push_back(&port); }

  bool post(ToDeposits letter) override;

 private:
  void ask(const MarkToken& letter);
  void ask(const KeepTicket& letter);
  void ask(const TakeTicket& letter);
  template <typename Letter, typename Read>
  void ask(const Letter& letter, std::initializer_list<std::string_view> command, Read read);
  void note(const proxy::RedisReply& reply, auth::WallTime now);

  proxy::Store& store_;
  Audit& audit_;
  const std::string token_prefix_;
  const std::string ticket_prefix_;
  std::vector<DepositAnswersPort*> workers_;
  auth::WallTime say_from_ = auth::WallTime::min();
};

}  // namespace gateway
