#include "proxy/mailbox.h"

#include <utility>

#include "proxy/uv_handle.h"

namespace proxy {

struct Mailbox::Async {
  explicit Async(void* owner) : handle(owner) {}
  UvHandle<uv_async_t> handle;
};

Mailbox::Mailbox(Loop& loop) : loop_(loop), async_(std::make_unique<Async>(this)) {
  uv_async_init(loop.raw(), async_->handle.get(), [](uv_async_t* handle) noexcept {
    if (auto* self = static_cast<Mailbox*>(handle->data)) self->read();
  });
}

Mailbox::~Mailbox() = default;

void Mailbox::post(Letter letter) {
  {
    std::lock_guard lock(mutex_);
    letters_.push_back(std::move(letter));
  }
  uv_async_send(async_->handle.get());
}

void Mailbox::read() {
  loop_.wake();
  std::vector<Letter> letters;
  {
    std::lock_guard lock(mutex_);
    letters.swap(letters_);
  }
  for (auto& letter : letters) letter();
}

}  // namespace proxy
