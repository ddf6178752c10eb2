// One HTTP request to a server nearby, blocking: for a command that asks how the running instance
// is.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "proxy/address.h"

namespace proxy {

// The status that GET `path` is answered with; the error is a sentence. `timeout` is for all of it.
std::expected<int, std::string> probe_status(const SocketAddress& address, std::string_view path,
                                             std::chrono::milliseconds timeout);

}  // namespace proxy
