#include "proxy/backend.h"

#include <algorithm>
#include <utility>

#include "proxy/tcp.h"

namespace proxy {

namespace {

Servers::Outcome outcome_of(UpgradeFailure::Kind kind) {
  switch (kind) {
    case UpgradeFailure::Kind::Unreachable:
      return Servers::Outcome::Unreachable;
    case UpgradeFailure::Kind::Insecure:
      return Servers::Outcome::Insecure;
    case UpgradeFailure::Kind::Wrong:
      return Servers::Outcome::Wrong;
    case UpgradeFailure::Kind::TooSlow:
      return Servers::Outcome::TooSlow;
    case UpgradeFailure::Kind::Refused:
      return Servers::Outcome::Refused;
  }
  std::unreachable();
}

}  // namespace

Servers::Servers(std::vector<Server> servers, std::size_t first)
    : servers_(std::move(servers)),
      records_(servers_.size()),
      turn_(servers_.empty() ? 0 : first % servers_.size()) {}

std::optional<std::size_t> Servers::next(const std::vector<bool>& tried, MonotonicTime now) {
  std::optional<std::size_t> oldest;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    auto server = (turn_ + i) % servers_.size();
    if (tried[server]) continue;
    if (!skipped(server, now)) {
      turn_ = server + 1;
      return server;
    }
    if (!oldest || failed_at(server) < failed_at(*oldest)) oldest = server;
  }
  return oldest;
}

void Servers::record(std::size_t server, Outcome outcome, MonotonicTime now) {
  auto& record = records_[server];
  const bool good = outcome == Outcome::Upgraded || outcome == Outcome::Refused;
  record.failed_at.store(good ? never : now, std::memory_order_relaxed);
  record.counts[static_cast<std::size_t>(outcome)].add();
}

void Servers::observe(std::size_t server, Duration took) {
  records_[server].durations.observe(took);
}

std::uint64_t Servers::count(std::size_t server, Outcome outcome) const {
  return records_[server].counts[static_cast<std::size_t>(outcome)].value();
}

bool Servers::skipped(std::size_t server, MonotonicTime now) const {
  const auto failed = failed_at(server);
  return failed != never && now - failed < skipped_for;
}

MonotonicTime Servers::failed_at(std::size_t server) const {
  return records_[server].failed_at.load(std::memory_order_relaxed);
}

BackendHandshake::BackendHandshake(Loop& loop, Servers& servers, Duration connect_timeout,
                                   UpgradeRequest request, Observer& observer)
    : loop_(loop),
      servers_(servers),
      connect_timeout_(connect_timeout),
      request_(std::move(request)),
      observer_(observer),
      tried_(servers.size()),
      deadline_(loop.timers(), [this] { fail(deadline_means_); }) {
  try_next_server();
}

void BackendHandshake::try_next_server() {
  began_ = loop_.timers().now().monotonic;
  auto server = servers_.next(tried_, began_);
  if (!server) return observer_.on_upgrade_failed(failure_);
  server_ = *server;
  tried_[server_] = true;
  deadline_means_ = UpgradeFailure::Kind::TooSlow;
  deadline_.arm(connect_timeout_);
  const auto& host = servers_[server_].host;
  if (auto address = IpAddress::parse(host)) return on_addresses({*address});
  lookup_ = std::make_unique<Lookup>(
      loop_, host, [this](std::vector<IpAddress> found) { on_addresses(std::move(found)); });
}

void BackendHandshake::on_addresses(std::vector<IpAddress> addresses) {
  addresses_ = std::move(addresses);
  std::reverse(addresses_.begin(), addresses_.end());
  try_next_address();
}

void BackendHandshake::try_next_address() {
  transport_.reset();
  while (!transport_ && !addresses_.empty()) {
    transport_ = TcpTransport::connect(loop_, {addresses_.back(), servers_[server_].port});
    addresses_.pop_back();
  }
  auto key = make_key();
  if (!transport_ || !key) return fail_soon(UpgradeFailure::Kind::Unreachable);
  key_ = std::move(*key);
  parser_.emplace(HeadParser::Kind::Response);
  if (servers_[server_].tls) secure();
  transport_->observe(*this);
  transport_->set_reading(true);
  transport_->write(
      write_upgrade_request(servers_[server_].base + request_.target, request_.fields, key_));
}

void BackendHandshake::secure() {
  const auto& server = servers_[server_];
  auto tls = TlsTransport::connect(std::move(transport_), server.tls, server.name,
                                   {loop_.timers(), loop_.plaintext_buffer()});
  tls_ = tls.get();
  transport_ = std::move(tls);
}

void BackendHandshake::record(Servers::Outcome outcome) {
  servers_.record(server_, outcome, loop_.timers().now().monotonic);
}

// The server is to blame: it is skipped for a while, and the next one gets its chance.
void BackendHandshake::fail(UpgradeFailure::Kind kind, std::string_view reason) {
  record(outcome_of(kind));
  failure_ = {kind, 0, server_, reason};
  deadline_.disarm();
  // Destroyed at once, not retired: what is still read from this server must not be heard any more.
  lookup_.reset();
  transport_.reset();
  try_next_server();
}

// A constructor does not call its observer, and a failure of this machine's own is no reason to run
// through all servers at once.
void BackendHandshake::fail_soon(UpgradeFailure::Kind kind) {
  deadline_means_ = kind;
  deadline_.arm(Duration::zero());
}

void BackendHandshake::on_gone(TransportError error) {
  if (error == TransportError::Insecure) {
    return fail(UpgradeFailure::Kind::Insecure, tls_->failure());
  }
  if (error != TransportError::Refused) return fail(UpgradeFailure::Kind::Wrong);
  if (addresses_.empty()) return fail(UpgradeFailure::Kind::Unreachable);
  try_next_address();
}

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
  const bool refused = answer == UpgradeAnswer::Refused;
  record(refused ? Servers::Outcome::Refused : Servers::Outcome::Upgraded);
  if (refused) {
    return observer_.on_upgrade_failed({UpgradeFailure::Kind::Refused, response.status, server_});
  }
  servers_.observe(server_, loop_.timers().now().monotonic - began_);
  observer_.on_upgraded(
      {std::move(transport_), std::move(subprotocol), std::string(early_octets), server_});
}

}  // namespace proxy
