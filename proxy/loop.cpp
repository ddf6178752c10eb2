#include "proxy/loop.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>

#include <uv.h>

namespace proxy {

namespace {
Instant read_clocks() {
  return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
}
}  // namespace

struct Loop::Handles {
  uv_loop_t loop;
  uv_prepare_t prepare;
  uv_check_t check;
  uv_timer_t deadline;
};

Loop::Loop()
    : timers_(read_clocks()),
      receive_buffer_(std::make_unique_for_overwrite<char[]>(receive_buffer_octets)),
      plaintext_buffer_(std::make_unique_for_overwrite<char[]>(receive_buffer_octets)),
      handles_(std::make_unique<Handles>()) {
  int failed = uv_loop_init(&handles_->loop);
  assert(!failed);
  (void)failed;
  uv_prepare_init(raw(), &handles_->prepare);
  uv_check_init(raw(), &handles_->check);
  uv_timer_init(raw(), &handles_->deadline);
  handles_->prepare.data = handles_->check.data = handles_->deadline.data = this;
  uv_prepare_start(&handles_->prepare,
                   [](uv_prepare_t* h) noexcept { static_cast<Loop*>(h->data)->before_sleep(); });
  uv_check_start(&handles_->check,
                 [](uv_check_t* h) noexcept { static_cast<Loop*>(h->data)->after_sleep(); });
}

Loop::~Loop() {
  destroy_retired();
  for (auto* handle : {reinterpret_cast<uv_handle_t*>(&handles_->prepare),
                       reinterpret_cast<uv_handle_t*>(&handles_->check),
                       reinterpret_cast<uv_handle_t*>(&handles_->deadline)}) {
    uv_close(handle, nullptr);
  }
  uv_run(raw(), UV_RUN_DEFAULT);  // close callbacks free what they own
  int busy = uv_loop_close(raw());
  assert(!busy);
  (void)busy;
}

uv_loop_s* Loop::raw() const { return &handles_->loop; }

// Who was retired in the last iteration may point at what its owner destroys before the loop.
void Loop::run() {
  uv_run(raw(), UV_RUN_DEFAULT);
  destroy_retired();
}

// A destructor may retire more.
void Loop::destroy_retired() {
  while (!retired_.empty()) {
    auto retired = std::move(retired_);
    retired_.clear();
  }
}

void Loop::stop() { uv_stop(raw()); }

void Loop::wake() {
  if (awake_) return;
  awake_ = true;
  timers_.set_now(read_clocks());
}

void Loop::before_sleep() {
  flushes_.flush();
  destroy_retired();
  if (std::exchange(awake_, false)) {
    iterations_.observe(std::chrono::steady_clock::now() - timers_.now().monotonic);
  }
  auto deadline = timers_.next_deadline();
  if (!deadline) {
    uv_timer_stop(&handles_->deadline);
    return;
  }
  // steady_clock and uv_now() are the same clock. Rounded up: a deadline missed by a fraction of a
  // millisecond would spin.
  auto due = std::chrono::ceil<std::chrono::milliseconds>(deadline->time_since_epoch()).count();
  auto left = std::max<std::int64_t>(0, due - static_cast<std::int64_t>(uv_now(raw())));
  // after_sleep() does the work; the libuv timer only ends the sleep.
  uv_timer_start(
      &handles_->deadline, [](uv_timer_t*) noexcept {}, static_cast<std::uint64_t>(left), 0);
}

void Loop::after_sleep() {
  wake();
  timers_.advance_to(timers_.now());
}

}  // namespace proxy
