// The admin listener: is the instance alive, is it ready? (CONTRACT section 6.)
#pragma once

#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "gateway/policy.h"
#include "proxy/http.h"
#include "proxy/listener.h"
#include "proxy/loop.h"

namespace gateway {

struct AdminAnswer {
  int status;
  std::string body;
};

// What a request is answered. Without I/O.
AdminAnswer answer_admin(const proxy::RequestHead& request, const std::string& token, bool ready);

class Admin final : private proxy::Listener::Observer {
 public:
  static constexpr std::size_t connections_max = 64;  // over it, the oldest goes

  Admin(proxy::Loop& loop, std::string token, std::function<bool()> ready);
  ~Admin();

  std::expected<void, std::string> listen(const proxy::SocketAddress& address);

 private:
  class Exchange;  // one request and its answer

  void on_accept(std::unique_ptr<proxy::Transport> transport,
                 const proxy::IpAddress& peer) override;
  void retire(Exchange& exchange);

  proxy::Loop& loop_;
  std::string token_;
  std::function<bool()> ready_;
  std::list<std::unique_ptr<Exchange>> exchanges_;
  std::unique_ptr<proxy::Listener> listener_;
};

}  // namespace gateway
