#include "gateway/counting.h"

#include <cassert>
#include <utility>

namespace gateway {

namespace {
// Of an id: the worker stands above its own number, of which there are more than enough.
constexpr unsigned worker_shift = 48;
}  // namespace

std::unique_ptr<Counting::Ticket> Counting::count(Asker& asker, std::string key,
                                                  std::uint32_t connections_max) {
  assert(port_);  // the policy has no such limit without a Redis
  const std::uint64_t id = std::uint64_t{worker_} << worker_shift | ++latest_;
  waiting_.emplace(id, &asker);
  port_->post(CountWanted{worker_, id, std::move(key), connections_max});
  return std::make_unique<Ticket>(*this, id);
}

bool Counting::post(Counted counted) {
  const auto waiting = waiting_.find(counted.id);
  if (waiting == waiting_.end()) return true;  // it has left
  Asker& asker = *waiting->second;
  waiting_.erase(waiting);
  asker.on_counted(counted.within);
  return true;
}

void Counting::release(std::uint64_t id) {
  waiting_.erase(id);
  if (port_) port_->post(CountReleased{id});
}

}  // namespace gateway
