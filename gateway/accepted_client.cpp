#include "gateway/accepted_client.h"

#include <cassert>
#include <utility>

#include "gateway/refusal.h"
#include "proxy/frame_writer.h"

namespace gateway {

namespace {

constexpr std::uint64_t message_octets_max = 10 * 1024;
constexpr std::uint64_t frames_max = 8;

proxy::ConnectionSettings make_settings(bool listening) {
  proxy::ConnectionSettings settings;
  settings.no_pong_code = close_too_slow;
  if (!listening) return settings;
  settings.reader = {message_octets_max, frames_max};
  settings.whole_messages = true;
  return settings;
}

// Who is sent away may have said what a session may say: it is dropped, and is no error.
const proxy::ConnectionSettings& settings(bool listening) {
  static const proxy::ConnectionSettings heard = make_settings(true);
  static const proxy::ConnectionSettings dropped = make_settings(false);
  return listening ? heard : dropped;
}

}  // namespace

AcceptedClient::AcceptedClient(std::unique_ptr<proxy::Transport> transport, bool listening,
                               proxy::Timers& timers, proxy::FlushList& flushes, Observer& observer)
    : observer_(observer),
      drops_(!listening),
      listening_(listening),
      connection_(std::move(transport), proxy::Role::Server, settings(listening), timers, flushes,
                  *this) {}

void AcceptedClient::tell(std::string_view json) {
  connection_.queue(
      proxy::share(proxy::write_frame(proxy::Role::Server, proxy::Opcode::Text, json)));
}

void AcceptedClient::close(proxy::StatusCode code, std::string_view reason) {
  listening_ = false;
  connection_.close(code, reason);
}

proxy::Verdict AcceptedClient::admit(proxy::Connection&, const proxy::FrameHeader&) {
  return {drops_ ? proxy::Verdict::Kind::Swallow : proxy::Verdict::Kind::Pass};
}

bool AcceptedClient::admit_all(proxy::Connection&, const proxy::Tally&) { return false; }

// The first message is held where it was good, and what comes behind it waits there, too.
proxy::Verdict AcceptedClient::judge(proxy::Connection&, const proxy::Message& message) {
  if (std::exchange(listening_, false)) {
    observer_.on_first_message(message);
    if (connection_.open()) return {proxy::Verdict::Kind::Hold, proxy::Verdict::until_resumed};
  }
  return {proxy::Verdict::Kind::Swallow};
}

void AcceptedClient::on_frames(proxy::Connection&, std::span<const std::string_view>) {
  assert(false);  // nothing of it has passed
}

void AcceptedClient::on_relieved(proxy::Connection&) {}

void AcceptedClient::on_ending(proxy::Connection&, const proxy::Ending& ending) {
  listening_ = false;
  observer_.on_client_ending(ending);
}

void AcceptedClient::on_gone(proxy::Connection&) { observer_.on_client_gone(); }

}  // namespace gateway
