#include "proxy/relay.h"

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

void Relay::start(std::string_view early_from_client, std::string_view early_from_backend) {
  client_.start(early_from_client);
  backend_.start(early_from_backend);
}

void Relay::close(StatusCode code, std::string_view reason) {
  client_.close(code, reason);
  backend_.close(StatusCode::GoingAway, {});
}

Verdict Relay::admit(Connection& from, const FrameHeader& frame) {
  return side(from) == Side::Client ? gate_.admit(frame) : Verdict{};
}

void Relay::on_frames(Connection& from, std::span<const std::string_view> frames) {
  auto& to = peer_of(from);
  to.send(frames);
  if (to.congested()) from.set_reading(false);
}

void Relay::on_relieved(Connection& from) { peer_of(from).set_reading(true); }

void Relay::on_ending(Connection& from, const Ending& ending) {
  bool by_client = side(from) == Side::Client;
  auto told = by_client ? told_to_backend(ending) : told_to_client(ending);
  peer_of(from).close(told.code, told.reason);
  gate_.on_ending(side(from), ending, by_client ? ending.close : told);
}

void Relay::on_gone(Connection& from) {
  if (side(from) == Side::Client) gate_.on_client_gone();
  if (++gone_ == 2) gate_.on_gone();
}

}  // namespace proxy
