#include "proxy/frame_writer.h"

#include <openssl/rand.h>
#include <wslay/wslay.h>

#include <cassert>
#include <memory>

namespace proxy {

namespace {

ssize_t append(const std::uint8_t* octets, std::size_t size, int, void* out) {
  static_cast<std::string*>(out)->append(reinterpret_cast<const char*>(octets), size);
  return static_cast<ssize_t>(size);
}

int random_key(std::uint8_t* key, std::size_t size, void*) {
  return RAND_bytes(key, static_cast<int>(size)) == 1 ? 0 : -1;
}

struct Free {
  void operator()(wslay_frame_context* context) const { wslay_frame_context_free(context); }
};

}  // namespace

std::string write_frame(Role us, Opcode opcode, std::string_view payload) {
  // wslay's context is 4 KiB and holds nothing between two whole frames: one a thread serves all.
  thread_local std::string* out = nullptr;
  thread_local std::unique_ptr<wslay_frame_context, Free> context = [] {
    wslay_frame_callbacks callbacks{};
    callbacks.send_callback = [](const std::uint8_t* octets, std::size_t size, int flags, void*) {
      return append(octets, size, flags, out);
    };
    callbacks.genmask_callback = random_key;
    wslay_frame_context_ptr made = nullptr;
    int failed = wslay_frame_context_init(&made, &callbacks, nullptr);
    assert(!failed);
    (void)failed;
    return std::unique_ptr<wslay_frame_context, Free>(made);
  }();

  std::string frame;
  frame.reserve(frame_header_octets_max + payload.size());
  out = &frame;
  wslay_frame_iocb iocb{};
  iocb.fin = 1;
  iocb.opcode = static_cast<std::uint8_t>(opcode);
  iocb.mask = us == Role::Client;
  iocb.payload_length = payload.size();
  iocb.data = reinterpret_cast<const std::uint8_t*>(payload.data());
  iocb.data_length = payload.size();
  auto sent = wslay_frame_send(context.get(), &iocb);
  assert(sent == static_cast<ssize_t>(payload.size()));
  (void)sent;
  return frame;
}

}  // namespace proxy
