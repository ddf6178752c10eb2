// What came of asking the other instances to close a connection that is not on this one.
#pragma once

#include <cstdint>

namespace gateway {

enum class Elsewhere : std::uint8_t {
  Nobody,       // there are none
  Told,         // those that can hear it have been
  Unreachable,  // they could not be
};

}  // namespace gateway
