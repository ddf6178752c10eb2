// Keeps as many messages under way as there are: one comes back, the next is sent.
#pragma once

#include <cstdint>
#include <span>

#include "tests/bench/crowd.h"

namespace tests::bench {

class Echoes : public Crowd::Observer {
 public:
  // `senders`: of the crowd's clients.
  void begin(Crowd& crowd, std::span<Client> senders, std::uint32_t in_flight) {
    crowd_ = &crowd;
    for (Client& client : senders) {
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

}  // namespace tests::bench
