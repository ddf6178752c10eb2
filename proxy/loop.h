// One worker's event loop: libuv's loop, its clock and deadlines, and the end of each iteration,
// when what was queued is written and what was retired is destroyed.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "proxy/counter.h"
#include "proxy/flush_list.h"
#include "proxy/timers.h"

struct uv_loop_s;

namespace proxy {

class Loop {
 public:
  // A frame of 64 KiB fits with its header (RFC 6455 section 5.2), so that it is one receive and
  // goes on as it came.
  static constexpr std::size_t receive_buffer_octets = 64 * 1024 + 16;

  Loop();
  ~Loop();  // everything on it must be gone, or going
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // until stop()
  void stop();  // from a callback of this loop

  Timers& timers() { return timers_; }
  FlushList& flushes() { return flushes_; }

  // Destruction waits for the end of the iteration, so an object may retire itself, or be retired
  // by one whom it called.
  template <typename T>
  void retire(std::unique_ptr<T> object) {
    retired_.emplace_back(object.release(), [](void* retired) { delete static_cast<T*>(retired); });
  }

  // How long each iteration was busy: what is ready next waits for its end. From any thread.
  const LatencyHistogram& iterations() const { return iterations_; }

  // For the other files of proxy/.
  uv_loop_s* raw() const;
  char* receive_buffer() { return receive_buffer_.get(); }  // shared: octets are lent for one call
  // The same of what was decrypted: it may be longer than what came, by what had come before.
  std::span<char> plaintext_buffer() { return {plaintext_buffer_.get(), receive_buffer_octets}; }
  void wake();  // a callback begins: the clock is read, once per iteration

 private:
  struct Handles;

  void before_sleep();
  void destroy_retired();
  void after_sleep();

  Timers timers_;
  FlushList flushes_;
  std::unique_ptr<char[]> receive_buffer_;
  std::unique_ptr<char[]> plaintext_buffer_;
  std::vector<std::unique_ptr<void, void (*)(void*)>> retired_;
  std::unique_ptr<Handles> handles_;
  bool awake_ = false;
  LatencyHistogram iterations_;
};

}  // namespace proxy
