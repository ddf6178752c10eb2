#include "gateway/reload.h"

#include <algorithm>
#include <span>
#include <utility>

namespace gateway {

namespace {

std::span<const PolicyError> some_of(const std::vector<PolicyError>& errors) {
  return std::span(errors).first(std::min(errors.size(), Reload::lines_max));
}

}  // namespace

Reload::Reload(proxy::Timers& timers, Audit& audit, const Policy& policy, Load load, Adopt adopt)
    : timers_(timers),
      audit_(audit),
      file_(policy.file),
      load_(std::move(load)),
      adopt_(std::move(adopt)),
      next_look_(timers, [this] { look(); }) {
  // What was written after it was read, or in that moment, is another one.
  const auto mark = mark_of(file_);
  const std::chrono::nanoseconds loaded_at = policy.loaded_at.time_since_epoch();
  if (mark && mark->modified_ns < loaded_at.count()) change_.read(mark);
  watch(policy.watch);
}

void Reload::stop() {
  stopped_ = true;
  watch(false);
}

bool Reload::ask(std::string_view asked_by, Answer answer) {
  if (stopped_) return false;
  const bool busy = !round_.asked_by.empty();
  auto& round = busy ? next_ : round_;
  if (answer && round.answers.size() == waiting_max) return false;
  if (round.asked_by.empty()) round.asked_by = asked_by;
  if (answer) round.answers.push_back(std::move(answer));
  if (!busy) begin();
  return true;
}

void Reload::begin() {
  begun_ = timers_.now().monotonic;
  change_.read(mark_of(file_));
  auto loaded = load_();
  if (!loaded) return fail(std::move(loaded.error()));
  watch(loaded->policy->watch);
  adopt_(std::move(loaded->policy),
         [this, warnings = std::move(loaded->warnings)](const AdoptionTally& connections) mutable {
           succeed(std::move(warnings), connections);
         });
}

void Reload::fail(std::vector<PolicyError> faults) {
  ++failed_;
  for (const auto& fault : some_of(faults)) audit_.policy_fault(fault.to_string());
  audit_.policy_reload_failed(round_.asked_by, faults.size());
  end({std::move(faults), {}, {}});
}

void Reload::succeed(std::vector<PolicyError> warnings, const AdoptionTally& connections) {
  ++succeeded_;
  for (const auto& warning : some_of(warnings)) audit_.policy_warning(warning.to_string());
  const auto duration = timers_.now().monotonic - begun_;
  audit_.policy_reloaded({round_.asked_by, warnings.size(), connections.asked, connections.closed,
                          connections.rooms_left,
                          std::chrono::duration_cast<std::chrono::milliseconds>(duration)});
  end({{}, std::move(warnings), connections});
}

void Reload::end(const Reloaded& reloaded) {
  for (auto& answer : std::exchange(round_, std::exchange(next_, {})).answers) answer(reloaded);
  if (!round_.asked_by.empty() && !stopped_) begin();
}

void Reload::watch(bool on) {
  if (!on) return next_look_.disarm();
  if (!next_look_.armed()) next_look_.arm(watch_interval);
}

void Reload::look() {
  next_look_.arm(watch_interval);
  if (change_.look(mark_of(file_))) ask("watch");
}

}  // namespace gateway
