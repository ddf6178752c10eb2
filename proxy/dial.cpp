#include "proxy/dial.h"

#include <algorithm>
#include <utility>

namespace proxy {

// Requests outlive a Dial that is destroyed meanwhile: it lets go of them, their callbacks free
// them.
struct Dial::Lookup {
  uv_getaddrinfo_t request;
  Dial* owner;
};

struct Dial::Connect {
  uv_connect_t request;
  Dial* owner;
};

Dial::Dial(Loop& loop, const std::string& host, std::uint16_t port, Observer& observer)
    : loop_(loop),
      port_(port),
      observer_(observer),
      failed_(loop.timers(), [this] { observer_.on_dial_failed(error_); }) {
  if (auto ip = IpAddress::parse(host)) {
    on_addresses({{*ip, port}});
  } else {
    look_up(host);
  }
}

Dial::~Dial() {
  if (lookup_) {
    lookup_->owner = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&lookup_->request));
  }
  if (connect_) connect_->owner = nullptr;
}

void Dial::look_up(const std::string& host) {
  lookup_ = new Lookup{{}, this};
  lookup_->request.data = lookup_;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  auto on_found = [](uv_getaddrinfo_t* request, int status, addrinfo* found) noexcept {
    std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(request->data));
    std::vector<SocketAddress> addresses;
    for (auto* info = found; info && addresses.size() < addresses_max; info = info->ai_next) {
      auto ip = IpAddress::from(*info->ai_addr);
      if (ip) addresses.push_back({*ip, 0});
    }
    uv_freeaddrinfo(found);
    auto* self = lookup->owner;
    if (!self) return;
    self->loop_.wake();
    self->lookup_ = nullptr;
    if (status != 0) addresses.clear();
    self->on_addresses(std::move(addresses));
  };
  int failed =
      uv_getaddrinfo(loop_.raw(), &lookup_->request, on_found, host.c_str(), nullptr, &hints);
  if (!failed) return;
  delete std::exchange(lookup_, nullptr);
  fail_soon(DialError::NotFound);
}

void Dial::on_addresses(std::vector<SocketAddress> addresses) {
  if (addresses.empty()) return fail_soon(DialError::NotFound);
  addresses_ = std::move(addresses);
  std::reverse(addresses_.begin(), addresses_.end());
  connect_next();
}

void Dial::connect_next() {
  if (addresses_.empty()) return fail_soon(DialError::Refused);
  auto address = addresses_.back();
  addresses_.pop_back();
  address.port = port_;
  sockaddr_storage storage{};
  address.to(storage);
  transport_ = std::make_unique<TcpTransport>(loop_);
  connect_ = new Connect{{}, this};
  connect_->request.data = connect_;
  auto on_done = [](uv_connect_t* request, int status) noexcept {
    std::unique_ptr<Connect> connect(static_cast<Connect*>(request->data));
    auto* self = connect->owner;
    if (!self) return;
    self->loop_.wake();
    self->connect_ = nullptr;
    self->on_connect(status);
  };
  int failed = uv_tcp_connect(&connect_->request, transport_->raw(),
                              reinterpret_cast<sockaddr*>(&storage), on_done);
  if (!failed) return;
  delete std::exchange(connect_, nullptr);
  fail_soon(DialError::Refused);
}

void Dial::on_connect(int status) {
  if (status != 0) return connect_next();
  transport_->configure();
  observer_.on_connected(std::move(transport_));
}

void Dial::fail_soon(DialError error) {
  error_ = error;
  failed_.arm(Duration::zero());
}

}  // namespace proxy
