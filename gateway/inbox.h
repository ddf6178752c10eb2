// Letters on their way to a reader on another thread: by the batch, so that many that were posted
// while the reader was busy cost it one wake, and bounded by the octets of their publications. The
// reader gets a part of a long batch in each iteration of its loop, so that its timers and sockets
// have their turn.
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

// What a worker reads in one iteration, and as many letters as that: a publication may go to
// thousands of members.
inline constexpr std::size_t inbox_octets_per_iteration = 64 * 1024;
inline constexpr std::size_t inbox_letters_per_iteration = 1'024;

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
      if (std::exchange(told_, true)) return true;
    }
    mailbox_.post([this] { read(); });
    return true;
  }

 private:
  // More than this is not kept for the next batch.
  static constexpr std::size_t letters_kept_max = 4'096;

  void read() {
    if (next_ == batch_.size()) take_batch();
    std::size_t octets = 0;
    std::size_t letters = 0;
    while (next_ < batch_.size() && octets < inbox_octets_per_iteration &&
           letters < inbox_letters_per_iteration) {
      octets += waiting_octets(batch_[next_]);
      ++letters;
      reader_.post(std::move(batch_[next_++]));
    }
    {
      const std::lock_guard lock(mutex_);
      octets_ -= octets;
      told_ = next_ < batch_.size() || !letters_.empty();
      if (!told_) return;
    }
    mailbox_.post([this] { read(); });
  }

  void take_batch() {
    batch_.clear();
    if (batch_.capacity() > letters_kept_max) std::vector<Letter>().swap(batch_);
    next_ = 0;
    const std::lock_guard lock(mutex_);
    letters_.swap(batch_);
  }

  proxy::Mailbox& mailbox_;
  Port<Letter>& reader_;
  const std::size_t octets_max_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
  std::size_t octets_ = 0;  // of publications that have not been read; at most octets_max_
  bool told_ = false;       // a read() is on its way
  // The reader's alone.
  std::vector<Letter> batch_;
  std::size_t next_ = 0;  // of batch_
};

}  // namespace gateway
