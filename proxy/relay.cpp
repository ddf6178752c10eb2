#include "proxy/relay.h"

#include <cassert>

namespace proxy {

namespace {

// What the other side is told when one side ended. Only a Close frame passes across as it is; all
// else is the gateway's own word about a peer that failed.
Close told_to_backend(const Ending& of_client) {
  if (of_client.cause == Ending::Cause::Closed) return of_client.close;
  return {StatusCode::GoingAway, {}};
}

Close told_to_client(const Ending& of_backend) {
  switch (of_backend.cause) {
    case Ending::Cause::Closed:
      return of_backend.close;
    case Ending::Cause::Stalled:
      return {StatusCode::TryAgainLater, "backend reads too slowly"};
    case Ending::Cause::NoPong:
      return {StatusCode::BadGateway, "backend is silent"};
    case Ending::Cause::ProtocolError:
      return {StatusCode::BadGateway, "backend is wrong"};
    default:
      return {StatusCode::BadGateway, "backend is gone"};
  }
}

}  // namespace

Relay::Relay(std::unique_ptr<Transport> client, std::unique_ptr<Transport> backend,
             const RelaySettings& settings, Timers& timers, FlushList& flushes, Gate& gate)
    : gate_(gate),
      client_(std::move(client), Role::Server, settings.client, timers, flushes, *this),
      left_(backend ? 2 : 1) {
  if (!backend) return;
  Connection::Observer& observer = *this;
  backend_ = std::make_unique<Connection>(std::move(backend), Role::Client, settings.backend,
                                          timers, flushes, observer);
}

void Relay::start(std::string_view early_from_client, std::string_view early_from_backend) {
  client_.start(early_from_client);
  if (backend_) backend_->start(early_from_backend);
}

void Relay::adopt(const RelaySettings& settings) {
  client_.adopt(settings.client);
  if (backend_) backend_->adopt(settings.backend);
}

void Relay::close(StatusCode code, std::string_view reason) {
  client_.close(code, reason);
  if (backend_) backend_->close(StatusCode::GoingAway, {});
}

Tally Relay::tally(Side from) const {
  if (from == Side::Client) return client_.received();
  return backend_ ? backend_->received() : Tally{};
}

Verdict Relay::admit(Connection& from, const FrameHeader& frame) {
  if (side(from) == Side::Client) return gate_.admit(frame);
  return {gate_.hears_backend() ? Verdict::Kind::Pass : Verdict::Kind::Swallow};
}

bool Relay::admit_all(Connection& from, const Tally& messages) {
  return side(from) == Side::Client ? gate_.admit_all(messages) : gate_.hears_backend();
}

Verdict Relay::judge(Connection& from, const Message& message) {
  return gate_.judge(side(from), message);
}

void Relay::on_frames(Connection& from, std::span<const std::string_view> frames) {
  auto* to = peer_of(from);
  assert(to);
  to->send(frames);
  if (to->congested()) from.set_reading(false);
}

void Relay::on_relieved(Connection& from) {
  if (auto* peer = peer_of(from)) peer->set_reading(true);
}

void Relay::on_ending(Connection& from, const Ending& ending) {
  bool by_client = side(from) == Side::Client;
  auto told = by_client ? told_to_backend(ending) : told_to_client(ending);
  if (auto* peer = peer_of(from)) peer->close(told.code, told.reason);
  gate_.on_ending(side(from), ending, by_client ? ending.close : told);
}

void Relay::on_gone(Connection& from) {
  if (side(from) == Side::Client) gate_.on_client_gone();
  if (--left_ == 0) gate_.on_gone();
}

}  // namespace proxy
