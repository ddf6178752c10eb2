// What a plain scalar of YAML is: text, or one of the things that it can be read as.
#pragma once

#include <cstdint>
#include <string>

namespace gateway {

// What a plain scalar is to readers of YAML 1.1 and 1.2.
enum class Plain : std::uint8_t {
  Text,
  Bool,             // true, false
  Integer,          // 17, -3
  Real,             // 1.5, 1e3
  AmbiguousNumber,  // 010, 0x1f, 1_000, 1:30: some number, or text
  AmbiguousWord,    // yes, no, on, off, True: a bool, or text
};
Plain classify(const std::string& text);

}  // namespace gateway
