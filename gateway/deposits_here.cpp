#include "gateway/deposits_here.h"

#include <utility>

namespace gateway {
namespace {

using Outcome = DepositAnswer::Outcome;

Outcome outcome_of(auth::Deposits::Kept kept) {
  switch (kept) {
    case auth::Deposits::Kept::Kept:
      return Outcome::Done;
    case auth::Deposits::Kept::Known:
      return Outcome::NotDone;
    case auth::Deposits::Kept::Full:
      break;
  }
  return Outcome::Full;
}

DepositAnswer answer(Ledger& ledger, const MarkToken& asked) {
  return {asked.id,
          outcome_of(ledger.mark_token(asked.name, asked.now + asked.kept_for, asked.now))};
}

DepositAnswer answer(Ledger& ledger, const KeepTicket& asked) {
  return {asked.id, outcome_of(ledger.keep_ticket(asked.name, asked.grant,
                                                  asked.now + asked.kept_for, asked.now))};
}

DepositAnswer answer(Ledger& ledger, const TakeTicket& asked) {
  auto grant = ledger.take_ticket(asked.name, asked.now);
  if (!grant) return {asked.id, Outcome::NotDone};
  return {asked.id, Outcome::Done, *std::move(grant)};
}

}  // namespace

bool DepositsHere::post(ToDeposits letter) {
  std::visit([this](const auto& asked) { workers_[asked.worker]->post(answer(ledger_, asked)); },
             letter);
  return true;
}

}  // namespace gateway
