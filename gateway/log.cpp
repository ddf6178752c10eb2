#include "gateway/log.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <mutex>
#include <optional>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/sink.h>

namespace gateway {
namespace {

using Clock = std::chrono::steady_clock;

// Gathered before they are written at once.
constexpr std::size_t pending_octets_max = 64 * 1024;

// The thread rests so long after it has written the last line there was. Lines that come meanwhile
// are written together, and none of them has to wake it, which is what a line costs a loop most.
constexpr std::chrono::milliseconds rest{10};

// At most one line about lost ones in this time.
constexpr std::chrono::seconds lost_report_interval{1};

// How often a write that waits looks whether the process ends.
constexpr int poll_interval_ms = 50;

std::size_t count_lines(std::string_view octets) {
  return static_cast<std::size_t>(std::count(octets.begin(), octets.end(), '\n'));
}

// Signals are for the loops. A reader that went away is EPIPE, not SIGPIPE.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

// What spdlog's thread does with a line; all but end_by(), watch() and lines_lost() is called by
// it. spdlog's own stdout sink writes and flushes each line by itself and waits without end for a
// pipe that nobody reads.
class DescriptorSink final : public spdlog::sinks::sink {
 public:
  DescriptorSink(LogFormat format, int descriptor) : format_(format), descriptor_(descriptor) {
    pending_.reserve(pending_octets_max);
  }

  // Before the first line.
  void watch(spdlog::details::thread_pool& queue) { queue_ = &queue; }

  void log(const spdlog::details::log_msg& message) override {
    pending_.append(message.payload.data(), message.payload.size());
    const bool last = queue_->queue_size() == 0;
    if (!last && pending_.size() < pending_octets_max) return;
    write_pending();
    if (last) take_rest();
  }

  // A line is finished when it comes here, and log() itself knows when to write.
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  // From any thread.
  void set_format(LogFormat format) { format_.store(format, std::memory_order_relaxed); }
  std::size_t lines_lost() const {
    return queue_->overrun_counter() + unwritten_.load(std::memory_order_relaxed);
  }

  // From the thread that ends the log: no rest any more, and a descriptor that takes nothing is
  // given up then.
  void end_by(Clock::time_point deadline) {
    const std::lock_guard lock(mutex_);
    deadline_ = deadline;
    rested_.notify_one();
  }

  // The queue is empty and stays so.
  void finish() {
    reported_at_.reset();
    write_pending();
  }

 private:
  // A disk that is full takes half a line; no other may continue it.
  void write_pending() {
    const std::size_t lost = lines_lost();
    const bool reports = append_report(lost - reported_);
    if (torn_) torn_ = !write_out("\n").empty();
    const std::string_view left = torn_ ? std::string_view(pending_) : write_out(pending_);
    if (left.empty()) {
      if (reports) reported_ = lost;
    } else {
      if (left.size() < pending_.size()) torn_ = left.data()[-1] != '\n';
      unwritten_ += count_lines(left) - (reports ? 1 : 0);
    }
    pending_.clear();
  }

  // Is there one now, as the last line that is pending?
  bool append_report(std::size_t lost) {
    if (lost == 0) return false;
    const auto now = Clock::now();
    if (reported_at_ && now - *reported_at_ < lost_report_interval) return false;
    reported_at_ = now;
    const auto time =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const LogField lines("lines", lost);
    append_log_line(pending_, format_.load(std::memory_order_relaxed), time, LogLevel::Warn,
                    "log_lines_lost", {&lines, 1});
    return true;
  }

  // Returns what the descriptor did not take.
  std::string_view write_out(std::string_view left) {
    while (!left.empty() && writable()) {
      // No more than a pipe that is writable takes without blocking (pipe(7), PIPE_BUF).
      const ssize_t written =
          ::write(descriptor_, left.data(), std::min<size_t>(left.size(), PIPE_BUF));
      if (written >= 0) {
        left.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno != EINTR && errno != EAGAIN) {
        break;
      }
    }
    return left;
  }

  // Waits until it is. False: it never will be, or not in time.
  bool writable() {
    for (;;) {
      const bool last_try = past_deadline();
      pollfd descriptor{.fd = descriptor_, .events = POLLOUT, .revents = 0};
      const int ready = poll(&descriptor, 1, last_try ? 0 : poll_interval_ms);
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) return false;
      if (last_try) return false;
    }
  }

  bool past_deadline() {
    const std::lock_guard lock(mutex_);
    return deadline_ && Clock::now() >= *deadline_;
  }

  void take_rest() {
    std::unique_lock lock(mutex_);
    rested_.wait_for(lock, rest, [this] { return deadline_.has_value(); });
  }

  std::atomic<LogFormat> format_;  // of the lines that are its own
  const int descriptor_;
  spdlog::details::thread_pool* queue_ = nullptr;
  std::string pending_;
  std::atomic<std::size_t> unwritten_ = 0;  // lines that the descriptor did not take
  bool torn_ = false;                       // the last octet written is inside a line
  std::size_t reported_ = 0;  // lost lines that have been told of, to somebody who took it
  std::optional<Clock::time_point> reported_at_;
  std::mutex mutex_;
  std::condition_variable rested_;
  std::optional<Clock::time_point> deadline_;
};

}  // namespace

// spdlog's part of it: the queue, the thread and the sink.
class Log::Writer {
 public:
  Writer(LogFormat format, LogOutput output)
      : flush_timeout_(output.flush_timeout),
        sink_(std::make_shared<DescriptorSink>(format, output.descriptor)),
        queue_(std::make_shared<spdlog::details::thread_pool>(log_queue_lines_max, 1, block_signals,
                                                              [sink = sink_] { sink->finish(); })),
        logger_(std::make_shared<spdlog::async_logger>(
            "gatehouse", sink_, queue_, spdlog::async_overflow_policy::overrun_oldest)) {
    sink_->watch(*queue_);
  }

  ~Writer() {
    sink_->end_by(Clock::now() + flush_timeout_);
    queue_.reset();  // the thread works off what waits, and ends
  }

  void set_format(LogFormat format) { sink_->set_format(format); }
  std::size_t lines_lost() const { return sink_->lines_lost(); }

  void write(std::chrono::system_clock::time_point time, std::string_view line) {
    // spdlog's own level plays no part: Log has decided.
    logger_->log(time, {}, spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  }

 private:
  const std::chrono::milliseconds flush_timeout_;
  const std::shared_ptr<DescriptorSink> sink_;
  std::shared_ptr<spdlog::details::thread_pool> queue_;
  const std::shared_ptr<spdlog::async_logger> logger_;
};

Log::Log(LogLevel level, LogFormat format, LogOutput output)
    : level_(level), format_(format), writer_(std::make_unique<Writer>(format, output)) {}

Log::~Log() = default;

void Log::set(LogLevel level, LogFormat format) {
  level_.store(level, std::memory_order_relaxed);
  format_.store(format, std::memory_order_relaxed);
  writer_->set_format(format);
}

std::uint64_t Log::lines_lost() const { return writer_->lines_lost(); }

void Log::write(LogLevel level, std::string_view event, std::span<const LogField> fields) {
  if (!enabled(level)) return;
  thread_local std::string line;
  line.clear();
  const auto now = std::chrono::system_clock::now();
  append_log_line(line, format_.load(std::memory_order_relaxed),
                  std::chrono::floor<std::chrono::milliseconds>(now), level, event, fields);
  writer_->write(now, line);
}

}  // namespace gateway
