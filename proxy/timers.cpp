#include "proxy/timers.h"

#include <utility>

namespace proxy {

void Timers::advance_to(Instant now) {
  now_ = now;
  for (auto most = heap_.size(); most > 0 && !heap_.empty(); --most) {
    if (heap_.front().due > now_.monotonic) return;
    Timer* due = heap_.front().timer;
    due->disarm();
    due->fire();
  }
}

std::optional<MonotonicTime> Timers::next_deadline() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().due;
}

void Timers::insert(Entry entry) {
  heap_.push_back(entry);
  entry.timer->place_ = heap_.size() - 1;
  sift_up(heap_.size() - 1);
}

void Timers::remove(std::size_t place) {
  heap_[place].timer->place_ = Timer::nowhere;
  Entry last = heap_.back();
  heap_.pop_back();
  if (place == heap_.size()) return;
  put(place, last);
  sift_up(place);
  sift_down(last.timer->place_);
}

void Timers::sift_up(std::size_t place) {
  while (place > 0) {
    std::size_t parent = (place - 1) / 2;
    if (heap_[parent].due <= heap_[place].due) return;
    Entry moved = heap_[place];
    put(place, heap_[parent]);
    put(parent, moved);
    place = parent;
  }
}

void Timers::sift_down(std::size_t place) {
  for (;;) {
    std::size_t child = 2 * place + 1;
    if (child >= heap_.size()) return;
    if (child + 1 < heap_.size() && heap_[child + 1].due < heap_[child].due) ++child;
    if (heap_[place].due <= heap_[child].due) return;
    Entry moved = heap_[place];
    put(place, heap_[child]);
    put(child, moved);
    place = child;
  }
}

void Timers::put(std::size_t place, Entry entry) {
  heap_[place] = entry;
  entry.timer->place_ = place;
}

void Timer::arm(Duration after) {
  disarm();
  timers_.insert({timers_.now().monotonic + after, this});
}

void Timer::disarm() {
  if (armed()) timers_.remove(place_);
}

}  // namespace proxy
