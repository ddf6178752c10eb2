// Why would this handshake pass, or not, and may its client then join or publish? Every decision in
// its order, one line each, with the line of the policy that it follows. By the same functions that
// the server asks.
#pragma once

#include <optional>
#include <string>

#include "auth/permissions.h"
#include "gateway/admit.h"
#include "gateway/keys_at_hand.h"
#include "gateway/policy.h"
#include "proxy/address.h"

namespace gateway {

struct RoomQuestion {
  std::string room;
  auth::RoomAction action = auth::RoomAction::Join;
};

struct Question {
  std::string target;  // path, with a query where there is one
  std::optional<std::string> host;
  std::optional<std::string> origin;
  std::optional<proxy::IpAddress> address;
  // Carried where the authenticator that its `iss` names looks first.
  std::optional<std::string> token;
  std::optional<RoomQuestion> room;  // asked once the handshake has passed
};

struct Explanation {
  bool allowed = false;
  std::string text;  // lines; never the token
};

// `keys`: those of authenticators that fetch them.
Explanation explain(const Policy& policy, const Question& question, const KeysAtHand& keys,
                    auth::WallTime now);

}  // namespace gateway
