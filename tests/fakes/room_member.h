// A member of rooms that writes down what it hears.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/rooms.h"

namespace tests {

class RoomMember final : public gateway::Rooms::Member {
 public:
  std::vector<std::string> heard;           // frames, and what it was told: see below
  std::function<void()> when_told = [] {};  // within on_joined() and on_starved()

  std::vector<std::string> take_heard() { return std::exchange(heard, {}); }

 private:
  void deliver(std::string_view, const proxy::SharedOctets& frame) override {
    heard.push_back(*frame);
  }
  void on_joined(std::string_view key, bool confirmed) override {
    heard.push_back((confirmed ? "joined " : "refused ") + std::string(key));
    when_told();
  }
  void on_unpublished(std::string_view key, std::string_view id) override {
    heard.push_back("unpublished " + std::string(key) + " " + std::string(id));
  }
  void on_starved(std::string_view key) override {
    heard.push_back("starved " + std::string(key));
    when_told();
  }
};

inline proxy::SharedOctets frame(std::string_view octets) {
  return std::make_shared<const std::string>(octets);
}

}  // namespace tests
