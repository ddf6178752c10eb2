// Random text for names that nobody may guess.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace gateway {

// Fills `out` with lower-case hexadecimal digits from OpenSSL's generator. Ends the process if that
// fails: a name that can be guessed is worse.
void fill_random_hexadecimal(std::span<char> out);

template <std::size_t digits>
std::array<char, digits> random_hexadecimal() {
  std::array<char, digits> text;
  fill_random_hexadecimal(text);
  return text;
}

}  // namespace gateway
