#include "proxy/backend.h"

#include <utility>

namespace proxy {

Servers::Servers(std::vector<Server> servers, std::size_t first)
    : servers_(std::move(servers)),
      failed_at_(servers_.size()),
      turn_(servers_.empty() ? 0 : first % servers_.size()) {}

std::optional<std::size_t> Servers::next(const std::vector<bool>& tried, MonotonicTime now) {
  std::optional<std::size_t> oldest;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    auto server = (turn_ + i) % servers_.size();
    if (tried[server]) continue;
    const auto& failed_at = failed_at_[server];
    if (!failed_at || now - *failed_at >= skipped_for) {
      turn_ = server + 1;
      return server;
    }
    if (!oldest || *failed_at < *failed_at_[*oldest]) oldest = server;
  }
  return oldest;
}

void Servers::mark_failed(std::size_t server, MonotonicTime now) { failed_at_[server] = now; }
void Servers::mark_good(std::size_t server) { failed_at_[server].reset(); }

BackendHandshake::BackendHandshake(Loop& loop, Servers& servers, Duration connect_timeout,
                                   UpgradeRequest request, Observer& observer)
    : loop_(loop),
      servers_(servers),
      connect_timeout_(connect_timeout),
      request_(std::move(request)),
      observer_(observer),
      tried_(servers.size()),
      deadline_(loop.timers(), [this] { fail(UpgradeFailure::Kind::TooSlow); }) {
  try_next();
}

void BackendHandshake::try_next() {
  auto server = servers_.next(tried_, loop_.timers().now().monotonic);
  if (!server) return observer_.on_upgrade_failed(failure_);
  server_ = *server;
  tried_[server_] = true;
  deadline_.arm(connect_timeout_);
  Dial::Observer& observer = *this;
  dial_ = std::make_unique<Dial>(loop_, servers_[server_].host, servers_[server_].port, observer);
}

// The server is to blame: it is skipped for a while, and the next one gets its chance.
void BackendHandshake::fail(UpgradeFailure::Kind kind) {
  servers_.mark_failed(server_, loop_.timers().now().monotonic);
  failure_ = {kind};
  deadline_.disarm();
  loop_.retire(std::move(dial_));
  loop_.retire(std::move(transport_));
  loop_.retire(std::move(parser_));
  try_next();
}

void BackendHandshake::on_connected(std::unique_ptr<Transport> transport) {
  auto key = make_key();
  if (!key) return fail(UpgradeFailure::Kind::Unreachable);
  key_ = std::move(*key);
  transport_ = std::move(transport);
  transport_->observe(*this);
  transport_->set_reading(true);
  parser_ = std::make_unique<HeadParser>(HeadParser::Kind::Response);
  transport_->write(
      write_upgrade_request(servers_[server_].base + request_.target, request_.fields, key_));
}

void BackendHandshake::on_dial_failed(DialError) { fail(UpgradeFailure::Kind::Unreachable); }

void BackendHandshake::on_gone(TransportError) { fail(UpgradeFailure::Kind::Wrong); }

void BackendHandshake::on_octets(std::string_view octets) {
  switch (parser_->receive(octets)) {
    case HeadParser::State::NeedsMore:
      return;
    case HeadParser::State::Failed:
      return fail(UpgradeFailure::Kind::Wrong);
    case HeadParser::State::Complete:
      return on_head(octets);
  }
}

void BackendHandshake::on_head(std::string_view early_octets) {
  auto response = parser_->take_response();
  std::vector<std::string_view> offered(request_.subprotocols.begin(), request_.subprotocols.end());
  std::string subprotocol;
  auto answer = check_answer(response, key_, offered, subprotocol);
  if (answer == UpgradeAnswer::Wrong) return fail(UpgradeFailure::Kind::Wrong);
  deadline_.disarm();
  servers_.mark_good(server_);
  transport_->set_reading(false);
  if (answer == UpgradeAnswer::Refused) {
    return observer_.on_upgrade_failed({UpgradeFailure::Kind::Refused, response.status});
  }
  observer_.on_upgraded(
      {std::move(transport_), std::move(subprotocol), std::string(early_octets), server_});
}

}  // namespace proxy
