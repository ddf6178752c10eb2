// Who of a worker waits to hear of what serves once: whether a token has been used, or what a
// ticket stands for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/deposit_letters.h"

namespace gateway {

class Depositing final : public DepositAnswersPort {
 public:
  class Asker {
   public:
    // From the loop, once for each question unless that is gone before.
    virtual void on_deposit(DepositAnswer answer) = 0;

   protected:
    ~Asker() = default;
  };

  // Its answer is wanted as long as this is there; what was asked is done in any case. Not after
  // its Depositing.
  class Question {
   public:
    Question(Depositing& depositing, std::uint64_t id) : depositing_(depositing), id_(id) {}
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question() { depositing_.waiting_.erase(id_); }

   private:
    Depositing& depositing_;
    const std::uint64_t id_;
  };

  explicit Depositing(unsigned worker) : worker_(worker) {}

  void join(DepositsPort& port) { port_ = &port; }  // before anything is asked; outlives it

  // Of a token, by the principal that it made, for as long as mark_kept_for() says.
  [[nodiscard]] std::unique_ptr<Question> mark_token(Asker& asker, const auth::Principal& principal,
                                                     auth::WallTime now);
  [[nodiscard]] std::unique_ptr<Question> mark_token(Asker& asker, std::string name,
                                                     std::chrono::milliseconds kept_for,
                                                     auth::WallTime now);
  [[nodiscard]] std::unique_ptr<Question> keep_ticket(Asker& asker, std::string name,
                                                      std::string grant,
                                                      std::chrono::milliseconds kept_for,
                                                      auth::WallTime now);
  [[nodiscard]] std::unique_ptr<Question> take_ticket(Asker& asker, std::string name,
                                                      auth::WallTime now);

  bool post(DepositAnswer answer) override;

 private:
  std::unique_ptr<Question> ask(Asker& asker, ToDeposits letter);

  const unsigned worker_;
  DepositsPort* port_ = nullptr;
  std::uint64_t latest_ = 0;
  std::unordered_map<std::uint64_t, Asker*> waiting_;
};

// How long the mark of a token is kept: until nobody can take the token for good, whoever of the
// instances has the slowest clock.
std::chrono::milliseconds mark_kept_for(const auth::Principal& principal, auth::WallTime now);

}  // namespace gateway
