#include "tests/bench/runs.h"

#include <algorithm>
#include <deque>

#include "tests/bench/echoes.h"
#include "tests/bench/latencies.h"
#include "tests/bench/stages.h"

namespace tests::bench {

namespace {

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
  Latencies& latencies() { return latencies_; }

  void on_echoes(Client& client, std::uint32_t messages) override {
    const std::int64_t now = now_ns();
    count_ += messages;
    std::deque<std::int64_t>& due = due_ns_[client.index];
    for (std::uint32_t i = 0; i < messages && !due.empty(); ++i) {
      latencies_.add(now - due.front());
      due.pop_front();
    }
  }

 private:
  std::vector<std::deque<std::int64_t>> due_ns_;  // of what is under way, by client
  Latencies latencies_;
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

}  // namespace

RunOutcome run_echo(const RunSettings& settings) {
  Messages messages{settings.content, settings.message_octets, settings.in_flight};
  Echoes echoes;
  Crowd crowd{settings.target, {&messages, 1}, echoes, settings.clients, settings.waiting};
  if (!crowd.open_all(now_ns() + open_ns_max)) {
    return faults_of(crowd);
  }
  echoes.begin(crowd, crowd.clients(), settings.in_flight);
  const RunResult result = measure(crowd, settings, [&echoes] { return echoes.count(); });
  echoes.stop();
  return finish(crowd, result);
}

RunOutcome run_rate(const RunSettings& settings) {
  Messages messages{settings.content, settings.message_octets, 64};
  Schedule schedule{settings};
  Crowd crowd{settings.target, {&messages, 1}, schedule, settings.clients, settings.waiting};
  if (!crowd.open_all(now_ns() + open_ns_max)) {
    return faults_of(crowd);
  }
  schedule.keep(crowd, now_ns() + to_ns(settings.warm_up_seconds));
  schedule.latencies().forget();
  const Window window{settings, schedule.count()};
  schedule.keep(crowd, now_ns() + to_ns(settings.seconds));
  RunResult result = window.end(schedule.count());
  take_latencies(schedule.latencies(), result);
  return finish(crowd, result);
}

RunOutcome run_handshakes(const RunSettings& settings) {
  Messages messages{settings.content, Messages::octets_min, 1};
  Handshakes handshakes{settings.closing_handshake};
  Crowd crowd{settings.target, {&messages, 1}, handshakes, settings.clients, settings.waiting};
  handshakes.begin(crowd);
  const RunResult result = measure(crowd, settings, [&handshakes] { return handshakes.count(); });
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
  Crowd crowd{settings.target, {&messages, 1}, nothing, settings.clients, settings.waiting};
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
  hold_until_input_ends(crowd);
  return finish(crowd, window.end(settings.clients));
}

}  // namespace tests::bench
