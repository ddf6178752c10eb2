// The admin listener: HTTP/1.1 with one request a connection. Who may ask is in admin_request.h,
// what can be asked in admin_api.h.
#pragma once

#include <expected>
#include <list>
#include <memory>
#include <string>

#include "gateway/admin_api.h"
#include "gateway/audit.h"
#include "proxy/listener.h"
#include "proxy/loop.h"

namespace gateway {

class Admin final : private proxy::Listener::Observer {
 public:
  static constexpr std::size_t connections_max = 64;  // over it, the oldest goes

  // `token`: empty: none is asked for. `audit` outlives it.
  Admin(proxy::Loop& loop, std::string token, Audit& audit);
  ~Admin();

  AdminApi& api() { return api_; }  // its rows are added before it listens

  void set_token(std::string token) { token_ = std::move(token); }  // of requests from then on

  std::expected<void, std::string> listen(const proxy::SocketAddress& address);

  void finish() { refusals_.finish(); }  // nothing more is asked

  const RefusalSampler& refusals() const { return refusals_; }

 private:
  class Client;  // one request and its answer

  void on_accept(std::unique_ptr<proxy::Transport> transport,
                 const proxy::IpAddress& peer) override;
  void record_refusal(const proxy::IpAddress& peer, int status);
  void retire(Client& client);

  proxy::Loop& loop_;
  std::string token_;
  AdminApi api_;
  RefusalSampler refusals_;
  proxy::Timer second_;  // after a refusal
  std::list<std::unique_ptr<Client>> clients_;
  std::unique_ptr<proxy::Listener> listener_;
};

}  // namespace gateway
