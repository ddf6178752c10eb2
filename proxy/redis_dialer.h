// Streams to one Redis: over a Unix socket, or TCP to an address of its host.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/lookup.h"
#include "proxy/redis_url.h"
#include "proxy/transport.h"

namespace proxy {

class Dialer {
 public:
  virtual ~Dialer() = default;

  // Looks for the server's addresses anew. `on_found` is called once, from the loop; that of an
  // earlier call that has not been called is not any more.
  using OnFound = std::move_only_function<void()>;
  virtual void look_up(OnFound on_found) = 0;

  // A stream to the address at hand. Null: there is none, or no way to it.
  virtual std::unique_ptr<Transport> dial() = 0;

  // On to the next address. False: that was the last.
  virtual bool next_address() = 0;
};

class RedisDialer final : public Dialer {
 public:
  // `server` outlives it.
  RedisDialer(Loop& loop, const RedisServer& server);

  void look_up(OnFound on_found) override;
  std::unique_ptr<Transport> dial() override;
  bool next_address() override;

 private:
  void found(std::vector<IpAddress> addresses);

  Loop& loop_;
  const RedisServer server_;
  OnFound on_found_;
  std::vector<IpAddress> addresses_;
  std::size_t at_hand_ = 0;
  std::unique_ptr<Lookup> lookup_;
  bool looking_ = false;
  Timer nothing_to_look_up_;  // due at once
};

}  // namespace proxy
