// A WebSocket echo server without authentication: what stands behind every proxy that is measured.
// Echoes whole messages, each in one frame. Single-threaded.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include <netinet/in.h>

#include "tests/bench/sockets.h"

namespace tests::bench {

// Serves until the process is ended; the result says why it could not begin.
std::string serve_echoes(const std::vector<sockaddr_in>& addresses, Waiting waiting);

}  // namespace tests::bench
