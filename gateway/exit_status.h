// How the process ends: what its exit status means to a script.
#pragma once

namespace gateway {

enum class ExitStatus : int {
  Ok = 0,
  PolicyWrong = 1,  // also: the instance is not healthy
  WrongUsage = 2,
  Denied = 3,       // explain
  CannotStart = 4,  // port taken, no permission
};

}  // namespace gateway
