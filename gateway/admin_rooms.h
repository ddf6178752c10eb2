// GET /v1/rooms, GET /v1/rooms/{room} and POST /v1/rooms/{room}/messages (CONTRACT section 6).
#pragma once

#include <functional>
#include <string>

#include "gateway/admin_api.h"
#include "gateway/audit.h"
#include "gateway/census.h"
#include "gateway/exchange.h"

namespace gateway {

// Publishes a whole frame to the room of a key. Called on the admin listener's thread, and answers
// there, at once or later.
using PublishToRoom =
    std::function<void(std::string key, proxy::SharedOctets frame, Exchange::Answer answer)>;

// All given outlive the listener.
void add_room_rows(AdminApi& api, Census& census, Audit& audit, PublishToRoom publish);

}  // namespace gateway
