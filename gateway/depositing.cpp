#include "gateway/depositing.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "auth/revocation.h"
#include "auth/single_use.h"

namespace gateway {

namespace {

// Another policy, or another instance's, may have a longer `leeway` than the one that verified the
// token: ten minutes at most.
constexpr std::chrono::minutes leeway_may_grow{10};

}  // namespace

std::unique_ptr<Depositing::Question> Depositing::mark_token(Asker& asker,
                                                             const auth::Principal& principal,
                                                             auth::WallTime now) {
  return mark_token(
      asker, auth::name_of_token(principal.authenticator, principal.issuer, principal.token_id),
      mark_kept_for(principal, now), now);
}

std::unique_ptr<Depositing::Question> Depositing::mark_token(Asker& asker, std::string name,
                                                             std::chrono::milliseconds kept_for,
                                                             auth::WallTime now) {
  return ask(asker, MarkToken{worker_, ++latest_, std::move(name), kept_for, now});
}

std::unique_ptr<Depositing::Question> Depositing::keep_ticket(Asker& asker, std::string name,
                                                              std::string grant,
                                                              std::chrono::milliseconds kept_for,
                                                              auth::WallTime now) {
  return ask(asker,
             KeepTicket{worker_, ++latest_, std::move(name), std::move(grant), kept_for, now});
}

std::unique_ptr<Depositing::Question> Depositing::take_ticket(Asker& asker, std::string name,
                                                              auth::WallTime now) {
  return ask(asker, TakeTicket{worker_, ++latest_, std::move(name), now});
}

std::unique_ptr<Depositing::Question> Depositing::ask(Asker& asker, ToDeposits letter) {
  assert(port_);
  waiting_.emplace(latest_, &asker);
  port_->post(std::move(letter));
  return std::make_unique<Question>(*this, latest_);
}

bool Depositing::post(DepositAnswer answer) {
  const auto waiting = waiting_.find(answer.id);
  if (waiting == waiting_.end()) return true;  // it has left
  Asker& asker = *waiting->second;
  waiting_.erase(waiting);
  asker.on_deposit(std::move(answer));
  return true;
}

std::chrono::milliseconds mark_kept_for(const auth::Principal& principal, auth::WallTime now) {
  assert(principal.good_until);  // a token has an end
  return std::max(*principal.good_until - now, std::chrono::milliseconds::zero()) +
         auth::clocks_apart_max + leeway_may_grow;
}

}  // namespace gateway
