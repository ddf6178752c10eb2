#include "tests/bench/runs.h"

#include <algorithm>
#include <cstdio>
#include <deque>

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include "tests/bench/cpu.h"

namespace tests::bench {

namespace {

constexpr std::int64_t open_ns_max = 60 * ns_per_second;
constexpr std::int64_t echo_ns_max = 10 * ns_per_second;
constexpr std::int64_t close_ns_max = 15 * ns_per_second;

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

std::unexpected<std::string> faults_of(const Crowd& crowd) {
  return std::unexpected(
      fmt::format("{} faults; the first: {}", crowd.fault_count(), crowd.first_fault()));
}

std::expected<void, std::string> await_echoes(Crowd& crowd, std::int64_t deadline_ns) {
  const auto complete = [](const Client& client) {
    return client.echoed == client.sent && client.owed == 0;
  };
  while (crowd.fault_count() == 0 && !std::ranges::all_of(crowd.clients(), complete)) {
    if (now_ns() >= deadline_ns) {
      return std::unexpected("some messages did not come back");
    }
    crowd.turn(ns_per_second / 100);
  }
  if (crowd.fault_count() > 0) {
    return faults_of(crowd);
  }
  return {};
}

// The same end of every run.
RunOutcome finish(Crowd& crowd, const RunResult& result) {
  if (const auto echoed = await_echoes(crowd, now_ns() + echo_ns_max); !echoed) {
    return std::unexpected(echoed.error());
  }
  if (!crowd.close_all(now_ns() + close_ns_max)) {
    return faults_of(crowd);
  }
  return result;
}

// Counts and processor time between its making and its end.
class Window {
 public:
  Window(const RunSettings& settings, std::uint64_t count)
      : measured_(settings.measured),
        began_count_(count),
        began_cpu_seconds_(cpu_seconds_of(measured_)),
        began_ns_(now_ns()) {}

  RunResult end(std::uint64_t count) const {
    RunResult result;
    result.seconds = static_cast<double>(now_ns() - began_ns_) / 1e9;
    result.cpu_seconds = cpu_seconds_of(measured_) - began_cpu_seconds_;
    result.count = count - began_count_;
    return result;
  }

 private:
  const std::vector<pid_t>& measured_;
  std::uint64_t began_count_;
  double began_cpu_seconds_;
  std::int64_t began_ns_;
};

// Keeps as many messages under way as there are: one comes back, the next is sent.
class Echoes : public Crowd::Observer {
 public:
  void begin(Crowd& crowd, std::uint32_t in_flight) {
    crowd_ = &crowd;
    for (Client& client : crowd.clients()) {
      crowd.send(client, in_flight);
    }
  }
  void stop() { crowd_ = nullptr; }
  std::uint64_t count() const { return count_; }

  void on_echoes(Client& client, std::uint32_t messages) override {
    count_ += messages;
    if (crowd_ != nullptr) {
      crowd_->send(client, messages);
    }
  }

 private:
  Crowd* crowd_ = nullptr;
  std::uint64_t count_ = 0;
};

class Schedule : public Crowd::Observer {
 public:
  explicit Schedule(const RunSettings& settings)
      : due_ns_(settings.clients), interval_ns_(to_ns(1 / settings.messages_per_second)) {}

  // Sends what is due, waits for the next, until `end_ns`.
  void keep(Crowd& crowd, std::int64_t end_ns) {
    for (std::int64_t now = now_ns(); now < end_ns && crowd.fault_count() == 0; now = now_ns()) {
      next_due_ns_ = next_due_ns_ == 0 ? now : next_due_ns_;
      for (; next_due_ns_ <= now; next_due_ns_ += interval_ns_) {
        Client& client = crowd.clients()[next_client_];
        next_client_ = (next_client_ + 1) % crowd.clients().size();
        due_ns_[client.index].push_back(next_due_ns_);
        crowd.send(client, 1);
      }
      crowd.turn(next_due_ns_ - now_ns());
    }
  }

  std::uint64_t count() const { return count_; }
  void forget_latencies() { latencies_ns_.clear(); }

  double latency_ms(double quantile) {
    if (latencies_ns_.empty()) {
      return 0;
    }
    const auto rank =
        static_cast<std::ptrdiff_t>(quantile * static_cast<double>(latencies_ns_.size() - 1));
    std::ranges::nth_element(latencies_ns_, latencies_ns_.begin() + rank);
    return static_cast<double>(latencies_ns_[static_cast<std::size_t>(rank)]) / 1e6;
  }

  void on_echoes(Client& client, std::uint32_t messages) override {
    const std::int64_t now = now_ns();
    count_ += messages;
    std::deque<std::int64_t>& due = due_ns_[client.index];
    for (std::uint32_t i = 0; i < messages && !due.empty(); ++i) {
      latencies_ns_.push_back(now - due.front());
      due.pop_front();
    }
  }

 private:
  std::vector<std::deque<std::int64_t>> due_ns_;  // of what is under way, by client
  std::vector<std::int64_t> latencies_ns_;
  std::int64_t interval_ns_;
  std::int64_t next_due_ns_ = 0;
  std::size_t next_client_ = 0;
  std::uint64_t count_ = 0;
};

class Handshakes : public Crowd::Observer {
 public:
  explicit Handshakes(bool closing) : closing_(closing) {}

  void begin(Crowd& crowd) {
    crowd_ = &crowd;
    for (Client& client : crowd.clients()) {
      crowd.open(client);
    }
  }
  void stop() { crowd_ = nullptr; }
  std::uint64_t count() const { return count_; }

  void on_open(Client& client) override {
    ++count_;
    if (crowd_ != nullptr && closing_) {
      crowd_->close(client);
    } else if (crowd_ != nullptr) {
      crowd_->drop(client);
      crowd_->open(client);
    }
  }

  void on_closed(Client& client) override {
    if (crowd_ != nullptr && closing_ && crowd_->fault_count() == 0) {
      crowd_->open(client);
    }
  }

 private:
  bool closing_;
  Crowd* crowd_ = nullptr;
  std::uint64_t count_ = 0;
};

void turn_until(Crowd& crowd, std::int64_t end_ns) {
  for (std::int64_t now = now_ns(); now < end_ns && crowd.fault_count() == 0; now = now_ns()) {
    crowd.turn(end_ns - now);
  }
}

bool standard_input_ended() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) > 0;
}

}  // namespace

RunOutcome run_echo(const RunSettings& settings) {
  Messages messages{settings.content, settings.message_octets, settings.in_flight};
  Echoes echoes;
  Crowd crowd{settings.target, messages, echoes, settings.clients, settings.waiting};
  if (!crowd.open_all(now_ns() + open_ns_max)) {
    return faults_of(crowd);
  }
  echoes.begin(crowd, settings.in_flight);
  turn_until(crowd, now_ns() + to_ns(settings.warm_up_seconds));
  const Window window{settings, echoes.count()};
  turn_until(crowd, now_ns() + to_ns(settings.seconds));
  const RunResult result = window.end(echoes.count());
  echoes.stop();
  return finish(crowd, result);
}

RunOutcome run_rate(const RunSettings& settings) {
  Messages messages{settings.content, settings.message_octets, 64};
  Schedule schedule{settings};
  Crowd crowd{settings.target, messages, schedule, settings.clients, settings.waiting};
  if (!crowd.open_all(now_ns() + open_ns_max)) {
    return faults_of(crowd);
  }
  schedule.keep(crowd, now_ns() + to_ns(settings.warm_up_seconds));
  schedule.forget_latencies();
  const Window window{settings, schedule.count()};
  schedule.keep(crowd, now_ns() + to_ns(settings.seconds));
  RunResult result = window.end(schedule.count());
  result.latency_p50_ms = schedule.latency_ms(0.5);
  result.latency_p99_ms = schedule.latency_ms(0.99);
  return finish(crowd, result);
}

RunOutcome run_handshakes(const RunSettings& settings) {
  Messages messages{settings.content, Messages::octets_min, 1};
  Handshakes handshakes{settings.closing_handshake};
  Crowd crowd{settings.target, messages, handshakes, settings.clients, settings.waiting};
  handshakes.begin(crowd);
  turn_until(crowd, now_ns() + to_ns(settings.warm_up_seconds));
  const Window window{settings, handshakes.count()};
  turn_until(crowd, now_ns() + to_ns(settings.seconds));
  const RunResult result = window.end(handshakes.count());
  handshakes.stop();
  // Those on their way get their 101, and all a closing handshake: a proxy that has lost one is
  // noticed.
  const std::int64_t deadline_ns = now_ns() + echo_ns_max;
  const auto on_its_way = [](const Client& client) {
    return client.state == Client::State::Handshake;
  };
  while (std::ranges::any_of(crowd.clients(), on_its_way) && now_ns() < deadline_ns) {
    crowd.turn(ns_per_second / 100);
  }
  if (std::ranges::any_of(crowd.clients(), on_its_way)) {
    return std::unexpected("some handshakes were not answered");
  }
  return finish(crowd, result);
}

RunOutcome run_idle(const RunSettings& settings) {
  Messages messages{settings.content, settings.message_octets,
                    std::max<std::uint32_t>(settings.in_flight, 1)};
  Crowd::Observer nothing;
  Crowd crowd{settings.target, messages, nothing, settings.clients, settings.waiting};
  const Window window{settings, 0};
  if (!crowd.open_all(now_ns() + open_ns_max)) {
    return faults_of(crowd);
  }
  for (Client& client : crowd.clients()) {
    crowd.send(client, settings.in_flight);
  }
  if (const auto echoed = await_echoes(crowd, now_ns() + open_ns_max); !echoed) {
    return std::unexpected(echoed.error());
  }
  fmt::print("{{\"established\": {}}}\n", crowd.open_count());
  std::fflush(stdout);
  while (!standard_input_ended() && crowd.fault_count() == 0) {
    crowd.turn(ns_per_second / 10);
  }
  return finish(crowd, window.end(settings.clients));
}

}  // namespace tests::bench
