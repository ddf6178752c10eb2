// The running instance: its workers, its admin listener, and the signals that end it.
#pragma once

#include <memory>

#include "gateway/exit_status.h"
#include "gateway/policy.h"
#include "gateway/policy_file.h"

namespace gateway {

// Listens, serves until SIGTERM or SIGINT and drains; at SIGHUP the policy's file is read again,
// with variables from `environment`. Returns the exit status of the process: ExitStatus::Ok, or
// ExitStatus::CannotStart with the reason said on stderr.
ExitStatus serve(std::shared_ptr<const Policy> policy, Environment environment);

}  // namespace gateway
