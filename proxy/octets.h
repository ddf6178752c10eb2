// Octets on their way to many peers: immutable once made, so that one copy waits in the queues of
// all of them.
#pragma once

#include <memory>
#include <string>

namespace proxy {

using SharedOctets = std::shared_ptr<const std::string>;

inline SharedOctets share(std::string octets) {
  return std::make_shared<const std::string>(std::move(octets));
}

}  // namespace proxy
