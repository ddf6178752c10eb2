// Ownership of a libuv handle. Closing is asynchronous, so the memory of a handle outlives its
// owner: the destructor lets go of the owner, hands the memory to libuv, and the close callback
// frees it. A callback that still comes in between finds no owner and does nothing.
#pragma once

#include <memory>

#include <uv.h>

namespace proxy {

template <typename Raw>
class UvHandle {
 public:
  explicit UvHandle(void* owner) : raw_(std::make_unique<Raw>()) { raw_->data = owner; }
  ~UvHandle() {
    raw_->data = nullptr;
    uv_close(base(), [](uv_handle_t* h) { delete reinterpret_cast<Raw*>(h); });
    (void)raw_.release();
  }
  UvHandle(const UvHandle&) = delete;
  UvHandle& operator=(const UvHandle&) = delete;

  Raw* get() const { return raw_.get(); }
  uv_handle_t* base() const { return reinterpret_cast<uv_handle_t*>(raw_.get()); }
  uv_stream_t* stream() const { return reinterpret_cast<uv_stream_t*>(raw_.get()); }

 private:
  std::unique_ptr<Raw> raw_;
};

}  // namespace proxy
