#include "gateway/accepted_client.h"

#include <cassert>
#include <utility>

#include "gateway/refusal.h"
#include "proxy/frame_writer.h"

namespace gateway {

namespace {

constexpr std::uint64_t message_octets_max = 10 * 1024;
constexpr std::uint64_t frames_max = 8;

proxy::ConnectionSettings make_settings() {
  proxy::ConnectionSettings settings;
  settings.reader = {message_octets_max, frames_max};
  settings.whole_messages = true;
  settings.no_pong_code = close_too_slow;
  return settings;
}

const proxy::ConnectionSettings& settings() {
  static const proxy::ConnectionSettings made = make_settings();
  return made;
}

}  // namespace

AcceptedClient::AcceptedClient(std::unique_ptr<proxy::Transport> transport, bool listening,
                               proxy::Timers& timers, proxy::FlushList& flushes, Observer& observer)
    : observer_(observer),
      listening_(listening),
      connection_(std::move(transport), proxy::Role::Server, settings(), timers, flushes, *this) {}

void AcceptedClient::tell(std::string_view json) {
  connection_.queue(
      proxy::share(proxy::write_frame(proxy::Role::Server, proxy::Opcode::Text, json)));
}

void AcceptedClient::close(proxy::StatusCode code, std::string_view reason) {
  listening_ = false;
  connection_.close(code, reason);
}

proxy::Verdict AcceptedClient::admit(proxy::Connection&, const proxy::FrameHeader&) { return {}; }

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
