#include "proxy/signals.h"

#include <csignal>
#include <utility>

#include "proxy/uv_handle.h"

namespace proxy {

struct Signals::Watched {
  Watched(Loop& on, std::function<void()> call)
      : loop(on), on_signal(std::move(call)), handle(this) {}
  Loop& loop;
  std::function<void()> on_signal;
  UvHandle<uv_signal_t> handle;
};

Signals::Signals(Loop& loop) : loop_(loop) {}
Signals::~Signals() = default;

void Signals::watch(int number, std::function<void()> on_signal) {
  auto& watched = *watched_.emplace_back(std::make_unique<Watched>(loop_, std::move(on_signal)));
  uv_signal_init(loop_.raw(), watched.handle.get());
  auto on_number = [](uv_signal_t* handle, int) noexcept {
    auto* self = static_cast<Watched*>(handle->data);
    if (!self) return;
    self->loop.wake();
    self->on_signal();
  };
  uv_signal_start(watched.handle.get(), on_number, number);
}

void Signals::ignore(int number) { std::signal(number, SIG_IGN); }

void Signals::block(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace proxy
