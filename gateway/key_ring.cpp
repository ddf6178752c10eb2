#include "gateway/key_ring.h"

#include <algorithm>
#include <utility>

namespace gateway {

KeyRing::KeyRing(proxy::Timers& timers, Ask ask)
    : ask_(std::move(ask)), timers_(timers), next_turn_(timers, [this] { wake(); }) {}

void KeyRing::Waiter::stop_waiting() {
  if (among_) std::exchange(among_, nullptr)->erase(place_);
}

bool KeyRing::look_for(const Authenticator& authenticator) {
  const auto* news = known_.find(authenticator);
  if (!news) return false;
  auto& queue = queues_[&authenticator];
  if (news->fetching || queue.asked) return true;
  if (timers_.now().monotonic < news->unknown_key_from) return false;
  queue.asked = true;
  ask_(news->authenticator);
  return true;
}

bool KeyRing::wait_for(const Authenticator& authenticator, Waiter& waiter) {
  if (!look_for(authenticator)) return false;
  auto& queue = queues_[&authenticator];
  waiter.among_ = &queue.waiters;
  waiter.place_ = queue.waiters.insert(queue.waiters.end(), &waiter);
  return true;
}

void KeyRing::learn(KeyNews news) {
  auto& queue = queues_[news.authenticator.get()];
  known_.learn(std::move(news));
  queue.asked = false;
  queue.due = queue.waiters.size();
  wake();
}

void KeyRing::adopt(std::vector<KeyNews> news) {
  known_.adopt(std::move(news));
  for (auto& [authenticator, queue] : queues_) queue.due = queue.waiters.size();
  wake();
}

void KeyRing::wake() {
  std::size_t left = woken_per_turn;
  for (auto& [authenticator, queue] : queues_) {
    // Who waits again stands behind those who are due.
    queue.due = std::min(queue.due, queue.waiters.size());
    for (; queue.due > 0 && left > 0 && !queue.waiters.empty(); --queue.due, --left) {
      Waiter& first = *queue.waiters.front();
      first.stop_waiting();
      first.on_keys();
    }
  }
  // Of an authenticator that is gone, and may be where another will be.
  std::erase_if(queues_, [this](const auto& entry) {
    return entry.second.waiters.empty() && !known_.find(*entry.first);
  });
  if (left == 0) next_turn_.arm(proxy::Duration::zero());
}

}  // namespace gateway
