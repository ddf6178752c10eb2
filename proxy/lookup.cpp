#include "proxy/lookup.h"

#include <memory>
#include <utility>

#include <uv.h>

namespace proxy {

// It outlives a Lookup that is destroyed meanwhile: that one lets go of it, and its callback frees
// it.
struct Lookup::Request {
  uv_getaddrinfo_t raw;
  Lookup* owner;

  static void on_done(uv_getaddrinfo_t* raw, int status, addrinfo* found) noexcept {
    std::unique_ptr<Request> request(static_cast<Request*>(raw->data));
    std::vector<IpAddress> addresses;
    for (auto* info = status == 0 ? found : nullptr; info; info = info->ai_next) {
      auto address = IpAddress::from(*info->ai_addr);
      if (address && addresses.size() < addresses_max) addresses.push_back(*address);
    }
    uv_freeaddrinfo(found);
    auto* owner = request->owner;
    if (!owner) return;
    owner->loop_.wake();
    owner->request_ = nullptr;
    owner->on_found_(std::move(addresses));
  }
};

Lookup::Lookup(Loop& loop, const std::string& name, OnFound on_found)
    : loop_(loop),
      on_found_(std::move(on_found)),
      request_(new Request{{}, this}),
      failed_(loop.timers(), [this] { on_found_({}); }) {
  request_->raw.data = request_;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  if (uv_getaddrinfo(loop.raw(), &request_->raw, Request::on_done, name.c_str(), nullptr, &hints)) {
    delete std::exchange(request_, nullptr);
    failed_.arm(Duration::zero());
  }
}

Lookup::~Lookup() {
  if (!request_) return;
  request_->owner = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&request_->raw));
}

}  // namespace proxy
