// POST /v1/reload: loads the policy again, and says what came of it.
#pragma once

#include <functional>

#include "gateway/admin_api.h"
#include "gateway/audit.h"
#include "gateway/reload.h"

namespace gateway {

// Reload::ask(); false where nothing can be reloaded now.
using AskForReload = std::function<bool(Reload::Answer)>;

// `audit` outlives the listener.
void add_reload_row(AdminApi& api, Audit& audit, AskForReload ask);

}  // namespace gateway
