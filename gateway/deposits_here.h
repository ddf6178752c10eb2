// What serves once, where there is one instance: in its Ledger. From any worker's thread.
#pragma once

#include <vector>

#include "gateway/deposit_letters.h"
#include "gateway/ledger.h"

namespace gateway {

class DepositsHere final : public DepositsPort {
 public:
  explicit DepositsHere(Ledger& ledger) : ledger_(ledger) {}  // outlives it

  // The next worker, from 0 on; before any of them runs. The port is no call up: it is read later.
  void add_worker(DepositAnswersPort& port) { workers_.push_back(&port); }

  bool post(ToDeposits letter) override;

 private:
  Ledger& ledger_;
  std::vector<DepositAnswersPort*> workers_;
};

}  // namespace gateway
