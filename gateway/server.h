// The running instance: its workers, its admin listener, and the signals that end it.
#pragma once

#include <memory>

#include "gateway/exit_status.h"
#include "gateway/policy.h"

namespace gateway {

// Listens, serves until SIGTERM or SIGINT and drains. Returns the exit status of the process:
// ExitStatus::Ok, or ExitStatus::CannotStart with the reason said on stderr.
ExitStatus serve(std::shared_ptr<const Policy> policy);

}  // namespace gateway
