// What other threads have to say to a worker: they post(), and its loop reads.
//
// Its owner is the server, not the worker: destroying it while a post() is still in uv_async_send
// is a race, so it outlives every thread that may post.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "proxy/loop.h"

namespace proxy {

class Mailbox {
 public:
  using Letter = std::move_only_function<void()>;  // called on the loop's thread

  explicit Mailbox(Loop& loop);
  ~Mailbox();  // after the loop's last run, before the Loop is destroyed
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void post(Letter letter);  // from any thread

 private:
  struct Async;
  void read();

  Loop& loop_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
  std::unique_ptr<Async> async_;
};

}  // namespace proxy
