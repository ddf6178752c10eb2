#include "proxy/redis_dialer.h"

#include <utility>

#include "proxy/tcp.h"

namespace proxy {

RedisDialer::RedisDialer(Loop& loop, const RedisServer& server)
    : loop_(loop), server_(server), nothing_to_look_up_(loop.timers(), [this] { on_found_(); }) {}

// One that is under way goes on for the next who asks: a thread waits in each, and a resolver that
// does not answer must not get them all.
void RedisDialer::look_up(OnFound on_found) {
  on_found_ = std::move(on_found);
  if (looking_) return;
  addresses_.clear();
  at_hand_ = 0;
  if (server_.unix_path.empty()) {
    const auto address = IpAddress::parse(server_.host);
    if (!address) {
      looking_ = true;
      auto found = [this](std::vector<IpAddress> addresses) { this->found(std::move(addresses)); };
      lookup_ = std::make_unique<Lookup>(loop_, server_.host, std::move(found));
      return;
    }
    addresses_.push_back(*address);
  }
  nothing_to_look_up_.arm(Duration::zero());
}

void RedisDialer::found(std::vector<IpAddress> addresses) {
  looking_ = false;
  addresses_ = std::move(addresses);
  on_found_();
}

std::unique_ptr<Transport> RedisDialer::dial() {
  if (!server_.unix_path.empty()) return TcpTransport::connect(loop_, server_.unix_path);
  if (at_hand_ >= addresses_.size()) return nullptr;
  return TcpTransport::connect(loop_, SocketAddress{addresses_[at_hand_], server_.port});
}

bool RedisDialer::next_address() {
  if (at_hand_ + 1 >= addresses_.size()) return false;
  ++at_hand_;
  return true;
}

}  // namespace proxy
