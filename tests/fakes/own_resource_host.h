// The worker of one of the gateway's own resources; its log is kept, its time is told.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/own_resource.h"
#include "tests/fakes/scripted_session_store.h"
#include "tests/gateway/captured_log.h"

namespace tests {

class OwnResourceHost final : public gateway::OwnResource::Host {
 public:
  explicit OwnResourceHost(proxy::Instant start) : timers_(start) {
    revoked.set_loaded(true);
    depositing_.join(deposits_);
  }

  proxy::Timers& timers() override { return timers_; }
  gateway::Ledger& ledger() override { return ledger_; }
  const gateway::Revocations& revocations() override { return revoked; }
  gateway::KeyRing& key_ring() override { return ring; }
  gateway::Depositing& depositing() override { return depositing_; }
  gateway::SessionStore& session_store(const gateway::SessionSettings&) override {
    return sessions;
  }
  gateway::RefusalSampler& refusals() override { return refusals_; }
  gateway::WorkerCounters& counters() override { return counters_; }

  void pass(proxy::Duration time) {
    const auto now = timers_.now();
    timers_.advance_to({now.monotonic + time, now.wall + time});
  }

  // Of the requests that were served with this status.
  std::uint64_t served(std::string_view status) const {
    const auto& words = counters_.own_answers;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words.word(i) == status) return words.value(i);
    }
    return 0;
  }

  // The oldest question about what serves once, which the test then answers.
  template <typename Letter>
  Letter asked() const {
    REQUIRE_FALSE(deposits_.asked.empty());
    return std::get<Letter>(deposits_.asked.front());
  }
  void answer(gateway::DepositAnswer::Outcome outcome) {
    REQUIRE_FALSE(deposits_.asked.empty());
    const auto id =
        std::visit([](const auto& letter) { return letter.id; }, deposits_.asked.front());
    deposits_.asked.pop_front();
    depositing_.post({id, outcome});
  }
  std::size_t questions() const { return deposits_.asked.size(); }

  std::vector<std::string> logged() { return log_.lines(); }  // ends the log

 private:
  CapturedLog log_;
  gateway::Audit audit_{log_.log()};
  gateway::RefusalSampler refusals_{audit_};
  gateway::WorkerCounters counters_;
  gateway::Ledger ledger_{100};
  struct Deposits final : gateway::DepositsPort {
    std::deque<gateway::ToDeposits> asked;
    bool post(gateway::ToDeposits letter) override {
      asked.push_back(std::move(letter));
      return true;
    }
  } deposits_;
  gateway::Depositing depositing_{0};
  proxy::Timers timers_;

 public:
  gateway::Revocations revoked;
  ScriptedSessionStore sessions;
  std::vector<std::string> keys_asked_for;  // of these authenticators
  gateway::KeyRing ring{timers_,
                        [this](const auto& whose) { keys_asked_for.push_back(whose->name); }};
};

}  // namespace tests
