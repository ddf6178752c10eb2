// The frames that the gateway itself says: control frames, and later its answers.
#pragma once

#include <string>
#include <string_view>

#include "proxy/frame.h"
#include "proxy/frame_reader.h"

namespace proxy {

// One whole frame, masked with a fresh random key where `us` is a client (RFC 6455 section 5.3).
std::string write_frame(Role us, Opcode opcode, std::string_view payload);

}  // namespace proxy
