// What a client sends, read by wslay and by us. Both must find the same messages and pings, and
// both must give up, or neither. Then the same octets, cut where the input says, go through a
// Relay: the backend, read by wslay, must get those messages, however they were cut.
//
// Not compared, since wslay 1.1.1 is wrong there: everything from a Close frame on. It refuses the
// codes 1012 to 1014, which pass across.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <wslay/wslay.h>

#include "proxy/frame_reader.h"
#include "proxy/relay.h"
#include "tests/fakes/fake_transport.h"

namespace {

constexpr std::uint64_t message_octets_max = 4096;

struct Outcome {
  std::vector<std::string> messages;  // the opcode, then the payload
  std::vector<std::string> pings;
  bool failed = false;
  bool closed = false;
  bool operator==(const Outcome&) const = default;
};

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

struct WslayReader {
  std::string_view input;
  Outcome outcome;

  static ssize_t recv(wslay_event_context_ptr context, std::uint8_t* out, std::size_t size, int,
                      void* user) {
    auto& input = static_cast<WslayReader*>(user)->input;
    if (input.empty()) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    auto taken = input.copy(reinterpret_cast<char*>(out), size);
    input.remove_prefix(taken);
    return static_cast<ssize_t>(taken);
  }

  static ssize_t send(wslay_event_context_ptr, const std::uint8_t*, std::size_t size, int, void*) {
    return static_cast<ssize_t>(size);
  }

  static void message(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* arg, void* user) {
    auto& outcome = static_cast<WslayReader*>(user)->outcome;
    std::string payload(reinterpret_cast<const char*>(arg->msg), arg->msg_length);
    if (arg->opcode == WSLAY_TEXT_FRAME || arg->opcode == WSLAY_BINARY_FRAME) {
      outcome.messages.push_back(static_cast<char>(arg->opcode) + payload);
    } else if (arg->opcode == WSLAY_PING) {
      outcome.pings.push_back(payload);
    } else if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
      outcome.closed = true;
    }
  }
};

Outcome read_with_wslay(std::string_view input) {
  wslay_event_callbacks callbacks{};
  callbacks.recv_callback = WslayReader::recv;
  callbacks.send_callback = WslayReader::send;
  callbacks.on_msg_recv_callback = WslayReader::message;
  WslayReader reader{input, {}};
  wslay_event_context_ptr context = nullptr;
  demand(wslay_event_context_server_init(&context, &callbacks, &reader) == 0, "wslay begins");
  wslay_event_config_set_max_recv_msg_length(context, message_octets_max);
  int result = wslay_event_recv(context);
  reader.outcome.failed =
      result != 0 || (!wslay_event_get_read_enabled(context) && !reader.outcome.closed);
  wslay_event_context_free(context);
  return reader.outcome;
}

Outcome read_with_ours(std::string_view input, std::size_t step) {
  using Kind = proxy::FrameReader::Kind;
  proxy::FrameReader reader(proxy::Role::Server);
  proxy::ReaderLimits limits{.message_octets_max = message_octets_max};
  Outcome outcome;
  std::string message;
  while (!input.empty() && !outcome.failed && !outcome.closed) {
    auto part = input.substr(0, step);
    input.remove_prefix(part.size());
    for (auto next = reader.next(part, limits, 1); next.kind != Kind::NeedsMore;
         next = reader.next(part, limits, 1)) {
      outcome.failed |= next.kind == Kind::Failed;
      outcome.closed |= next.kind == Kind::Close;
      if (next.kind == Kind::Ping) outcome.pings.emplace_back(next.octets);
      if (next.kind == Kind::DataFrame && reader.begins_message()) {
        message = static_cast<char>(reader.header().opcode);
      }
      if (next.kind == Kind::Messages) {
        message = static_cast<char>(reader.header().opcode);
        next.octets.remove_prefix(next.octets.size() - reader.header().payload_octets);
      } else if (next.kind != Kind::Payload) {
        continue;
      }
      auto offset = next.kind == Kind::Messages ? 0 : reader.offset();
      for (std::size_t i = 0; i < next.octets.size(); ++i) {
        auto key = reader.header().masking_key[(offset + i) % 4];
        message += static_cast<char>(next.octets[i] ^ key);
      }
      bool complete = next.kind == Kind::Messages || reader.message_complete();
      if (complete) outcome.messages.push_back(message);
    }
  }
  // A Close that is not complete yet: wslay may have judged its code already.
  bool in_close = !reader.frame_complete() && reader.header().opcode == proxy::Opcode::Close;
  outcome.closed |= in_close && !outcome.failed;
  return outcome;
}

struct OpenGate final : proxy::Relay::Gate {
  proxy::Verdict admit(const proxy::FrameHeader&) override { return {}; }
  bool admit_all(const proxy::Tally&) override { return true; }
  bool hears_backend() override { return true; }
  proxy::Verdict judge(proxy::Relay::Side, const proxy::Message&) override { return {}; }
  void on_ending(proxy::Relay::Side, const proxy::Ending&, const proxy::Close&) override {}
  void on_client_gone() override {}
  void on_gone() override {}
};

// What the backend gets, when the input comes in parts of the sizes that `cuts` gives in turn.
std::string relay_in_parts(std::string_view input, std::string_view cuts) {
  proxy::Timers timers{proxy::Instant{}};
  proxy::FlushList flushes;
  proxy::RelaySettings settings;
  settings.client.reader.message_octets_max = message_octets_max;
  settings.client.control_frames_per_second_max = 0;
  auto client = std::make_shared<tests::Peer>();
  auto backend = std::make_shared<tests::Peer>();
  OpenGate gate;
  proxy::Relay relay(std::make_unique<tests::FakeTransport>(client),
                     std::make_unique<tests::FakeTransport>(backend), settings, timers, flushes,
                     gate);
  relay.start({}, {});
  for (std::size_t i = 0; !input.empty(); ++i) {
    auto part = input.substr(0, 1 + static_cast<std::uint8_t>(cuts[i % cuts.size()]));
    input.remove_prefix(part.size());
    client->send(part);
  }
  return backend->received;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  constexpr std::size_t cuts_size = 4;
  if (size <= cuts_size) return 0;
  std::string_view all(reinterpret_cast<const char*>(octets), size);
  auto cuts = all.substr(0, cuts_size);
  auto input = all.substr(cuts_size);

  auto ours = read_with_ours(input, input.size());
  demand(read_with_ours(input, 1) == ours, "octet by octet is the same as all at once");
  // We give up at the octet that is wrong, wslay once it has a whole header: it gets its rest.
  std::string rest(ours.failed ? 32 : 0, '\0');
  auto wslays = read_with_wslay(std::string(input) + rest);
  if (!ours.closed) demand(ours.failed == wslays.failed, "both give up, or neither");
  demand(ours.messages == wslays.messages, "both find the same messages");
  demand(ours.pings == wslays.pings, "both find the same pings");

  auto to_backend = relay_in_parts(input, cuts);
  auto relayed = read_with_wslay(to_backend);
  auto relayed_ours = read_with_ours(to_backend, to_backend.size());
  demand(relayed.messages == ours.messages, "the backend gets what the client said");
  demand(!relayed_ours.failed, "the backend gets nothing that is wrong to us");
  demand(!relayed.failed || relayed_ours.closed, "nor, up to a Close, to wslay");
  return 0;
}
