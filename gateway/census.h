// A question to every worker, and the answers together. Nobody waits for a worker that is stuck.
//
// A walk is what goes through one worker's sessions or rooms and remembers what it finds:
//   struct Walk { bool step(const Surveyed&); … };   // whether there is more
// Each worker gets a copy, and sends it back when it is through.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/survey.h"
#include "proxy/mailbox.h"
#include "proxy/timers.h"

namespace gateway {

// On one thread, which also owns the mailbox. It outlives the workers' threads.
class Census {
 public:
  static constexpr std::chrono::seconds answer_max{2};
  // Questions at a time, but for those that hold nothing of what they find: such a walk says so by
  // a constant `finds_nothing`.
  static constexpr std::size_t asked_max = 8;

  // How a thread is told something: a Mailbox's post(), or a test's.
  using Post = std::function<void(proxy::Mailbox::Letter)>;
  using Ask = std::function<void(Survey)>;

  // `home`: to this thread.
  Census(proxy::Timers& timers, Post home)
      : timers_(timers), home_(std::move(home)), deadline_(timers, [this] { on_deadline(); }) {}

  void add_worker(Ask ask) { workers_.push_back(std::move(ask)); }

  // The walks of all workers, in no order; empty: one of them did not answer in time, or too much
  // is being asked. Called once, from within ask() or later.
  template <typename Walk>
  using Answer = std::move_only_function<void(std::vector<Walk>)>;

  template <typename Walk>
  void ask(const Walk& walk, Answer<Walk> answer) {
    if constexpr (!requires { Walk::finds_nothing; }) {
      if (asked_.size() >= asked_max) return answer({});
    }
    const auto number = ++last_;
    asked_.emplace(number, std::make_unique<Question<Walk>>(timers_.now().monotonic + answer_max,
                                                            std::move(answer)));
    if (!deadline_.armed()) deadline_.arm(answer_max);
    for (const auto& worker : workers_) worker(survey(number, walk));
  }

 private:
  // Asked, and not answered by all.
  struct Asked {
    explicit Asked(proxy::MonotonicTime until) : due(until) {}
    virtual ~Asked() = default;
    virtual void give_up() = 0;

    const proxy::MonotonicTime due;
  };

  template <typename Walk>
  struct Question final : Asked {
    Question(proxy::MonotonicTime until, Answer<Walk> to) : Asked(until), answer(std::move(to)) {}
    void give_up() override { answer({}); }

    Answer<Walk> answer;
    std::vector<Walk> back;
  };

  template <typename Walk>
  Survey survey(std::uint64_t number, Walk walk) {
    return [this, number, walk = std::move(walk)](const Surveyed& surveyed) mutable {
      if (walk.step(surveyed)) return true;
      home_([this, number, walk = std::move(walk)]() mutable { take(number, std::move(walk)); });
      return false;
    };
  }

  template <typename Walk>
  void take(std::uint64_t number, Walk walk) {
    const auto found = asked_.find(number);
    if (found == asked_.end()) return;  // too late
    auto& question = static_cast<Question<Walk>&>(*found->second);
    question.back.push_back(std::move(walk));
    if (question.back.size() < workers_.size()) return;
    const auto asked = asked_.extract(found);  // whoever is answered may ask again
    question.answer(std::move(question.back));
  }

  // The oldest come first, and all have the same time.
  void on_deadline() {
    const auto now = timers_.now().monotonic;
    while (!asked_.empty() && asked_.begin()->second->due <= now) {
      const auto late = asked_.extract(asked_.begin());
      late.mapped()->give_up();
    }
    if (!asked_.empty() && !deadline_.armed()) deadline_.arm(asked_.begin()->second->due - now);
  }

  proxy::Timers& timers_;
  Post home_;
  std::vector<Ask> workers_;
  std::map<std::uint64_t, std::unique_ptr<Asked>> asked_;  // by number
  std::uint64_t last_ = 0;
  proxy::Timer deadline_;
};

}  // namespace gateway
