// Keys for a command that decides once and ends.
#pragma once

#include <string_view>
#include <vector>

#include "gateway/key_set_status.h"
#include "gateway/known_keys.h"
#include "gateway/policy.h"

namespace gateway {

struct KeysAtHand {
  KnownKeys known;
  std::vector<KeySetStatus> fetched;  // or not: each says what came of it
};

// Asks once, all at the same time and each no longer than a running instance would, for the keys of
// those authenticators that are for the token's issuer. Blocks.
KeysAtHand fetch_keys_for(const Policy& policy, std::string_view token);

}  // namespace gateway
