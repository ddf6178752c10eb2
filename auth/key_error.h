// What is wrong with a key, as a sentence for the operator; never contains key material.
#pragma once

#include <string>

namespace auth {

struct KeyError {
  std::string what;
};

}  // namespace auth
