// When the policy is loaded again, and what whoever asked for it is told (CONTRACT section 5). One
// at a time: what is asked for meanwhile is one more afterwards, however often it was.
//
// On the thread that serves admins.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/adoption.h"
#include "gateway/audit.h"
#include "gateway/file_change.h"
#include "gateway/policy.h"
#include "gateway/policy_file.h"
#include "proxy/timers.h"

namespace gateway {

struct Reloaded {
  std::vector<PolicyError> faults;  // none: the policy is in force
  std::vector<PolicyError> warnings;
  AdoptionTally connections;
};

class Reload {
 public:
  // How often the file is looked at.
  static constexpr std::chrono::seconds watch_interval{2};

  // Who waits for an answer at a time.
  static constexpr std::size_t waiting_max = 64;

  // Faults and warnings of one policy that are written to the log.
  static constexpr std::size_t lines_max = 32;

  // Reads the file, and says what of it can come into force.
  using Load = std::function<std::expected<LoadedPolicy, std::vector<PolicyError>>()>;

  // Brings a policy into force. `done` is called later, when all connections have been asked.
  using Done = std::move_only_function<void(const AdoptionTally&)>;
  using Adopt = std::function<void(std::shared_ptr<const Policy>, Done done)>;

  // `policy`: the one in force. The timers and `audit` outlive it.
  Reload(proxy::Timers& timers, Audit& audit, const Policy& policy, Load load, Adopt adopt);
  Reload(const Reload&) = delete;
  Reload& operator=(const Reload&) = delete;

  // `asked_by`: a word of static life for the log. The answer is called once, within the call or
  // later. False: waiting_max wait already, or it was stopped; it is not called.
  using Answer = std::move_only_function<void(const Reloaded&)>;
  bool ask(std::string_view asked_by, Answer answer = {});

  // What is under way ends; nothing more begins, and who waits for it is not answered.
  void stop();

  std::uint64_t succeeded() const { return succeeded_; }
  std::uint64_t failed() const { return failed_; }

 private:
  struct Round {
    std::string_view asked_by;  // empty: nobody has
    std::vector<Answer> answers;
  };

  void begin();
  void fail(std::vector<PolicyError> faults);
  void succeed(std::vector<PolicyError> warnings, const AdoptionTally& connections);
  void end(const Reloaded& reloaded);
  void watch(bool on);
  void look();

  proxy::Timers& timers_;
  Audit& audit_;
  const std::string file_;
  Load load_;
  Adopt adopt_;
  Round round_;  // under way
  Round next_;
  proxy::MonotonicTime begun_{};
  std::uint64_t succeeded_ = 0;
  std::uint64_t failed_ = 0;
  bool stopped_ = false;
  FileChange change_;
  proxy::Timer next_look_;
};

}  // namespace gateway
