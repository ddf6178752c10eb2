// GET /v1/connections, DELETE /v1/connections/{id} (CONTRACT section 6).
#pragma once

#include <functional>
#include <string>

#include "gateway/admin_api.h"
#include "gateway/audit.h"
#include "gateway/census.h"
#include "gateway/elsewhere.h"

namespace gateway {

// Called on the admin listener's thread, and answers there, at once or later.
using CloseElsewhere =
    std::function<void(std::string id, std::move_only_function<void(Elsewhere)> answer)>;

// All given outlive the listener.
void add_connection_rows(AdminApi& api, Census& census, Audit& audit,
                         CloseElsewhere close_elsewhere);

}  // namespace gateway
