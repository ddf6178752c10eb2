// Letters on their way to a reader on another thread: by the batch, so that many that were posted
// while the reader was busy cost it one wake, and bounded by the octets of their publications.
//
// As with the Mailbox that wakes the reader, whoever owns it lets it outlive every thread that may
// post.
#pragma once

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include "gateway/room_letters.h"
#include "proxy/mailbox.h"

namespace gateway {

// DESIGN "Threads and owners": what a worker may leave unread.
inline constexpr std::size_t inbox_octets_max = 64 * 1024 * 1024;

template <typename Letter>
class Inbox final : public Port<Letter> {
 public:
  // `reader` is given the letters on the mailbox's thread.
  Inbox(proxy::Mailbox& mailbox, Port<Letter>& reader, std::size_t octets_max = inbox_octets_max)
      : mailbox_(mailbox), reader_(reader), octets_max_(octets_max) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  bool post(Letter letter) override {  // from any thread
    const std::size_t octets = waiting_octets(letter);
    {
      const std::lock_guard lock(mutex_);
      if (octets > octets_max_ - octets_) return false;
      octets_ += octets;
      letters_.push_back(std::move(letter));
      if (letters_.size() > 1) return true;  // the reader has been told
    }
    mailbox_.post([this] { read(); });
    return true;
  }

 private:
  // More than this is not kept for the next batch.
  static constexpr std::size_t letters_kept_max = 4'096;

  void read() {
    std::size_t octets = 0;
    {
      const std::lock_guard lock(mutex_);
      letters_.swap(batch_);
      octets = octets_;  // all of the batch's: what was read before has been taken off
    }
    for (auto& letter : batch_) reader_.post(std::move(letter));
    batch_.clear();
    if (batch_.capacity() > letters_kept_max) std::vector<Letter>().swap(batch_);
    const std::lock_guard lock(mutex_);
    octets_ -= octets;
  }

  proxy::Mailbox& mailbox_;
  Port<Letter>& reader_;
  const std::size_t octets_max_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
  std::size_t octets_ = 0;     // of publications in letters_ and batch_; at most octets_max_
  std::vector<Letter> batch_;  // the reader's alone
};

}  // namespace gateway
