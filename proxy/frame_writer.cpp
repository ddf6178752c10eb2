#include "proxy/frame_writer.h"

#include <cassert>
#include <memory>
#include <utility>

#include <wslay/wslay.h>

#include "proxy/random.h"

namespace proxy {

namespace {

int random_key(std::uint8_t* key, std::size_t size, void*) {
  return fill_random({key, size}) ? 0 : -1;
}

struct Free {
  void operator()(wslay_frame_context* context) const { wslay_frame_context_free(context); }
};

ssize_t append(const std::uint8_t* octets, std::size_t size, int, void* writer);

// wslay's context is 4 KiB and holds nothing between two whole frames, so one a thread serves all
// connections; but 1.1.1 goes on masking, with the old key, after its first masked frame: one a
// role.
struct Writer {
  Writer() {
    wslay_frame_callbacks callbacks{};
    callbacks.send_callback = append;
    callbacks.genmask_callback = random_key;
    wslay_frame_context_ptr made = nullptr;
    int failed = wslay_frame_context_init(&made, &callbacks, this);
    assert(!failed);
    (void)failed;
    context.reset(made);
  }

  std::unique_ptr<wslay_frame_context, Free> context;
  std::string frame;  // being written
};

ssize_t append(const std::uint8_t* octets, std::size_t size, int, void* writer) {
  static_cast<Writer*>(writer)->frame.append(reinterpret_cast<const char*>(octets), size);
  return static_cast<ssize_t>(size);
}

}  // namespace

std::string write_frame(Role us, Opcode opcode, std::string_view payload) {
  thread_local Writer as_server;
  thread_local Writer as_client;
  auto& writer = us == Role::Server ? as_server : as_client;
  wslay_frame_iocb iocb{};
  iocb.fin = 1;
  iocb.opcode = static_cast<std::uint8_t>(opcode);
  iocb.mask = us == Role::Client;
  iocb.payload_length = payload.size();
  iocb.data = reinterpret_cast<const std::uint8_t*>(payload.data());
  iocb.data_length = payload.size();
  auto sent = wslay_frame_send(writer.context.get(), &iocb);
  assert(sent == static_cast<ssize_t>(payload.size()));
  (void)sent;
  return std::exchange(writer.frame, {});
}

}  // namespace proxy
