// A word that is not known is often one that is, written wrong.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gateway {

// How many letters must be added, left out, replaced or swapped with the next to make one of the
// other (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// " (did you mean 'origins'?)", or nothing where no known word is like it.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace gateway
