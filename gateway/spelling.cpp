#include "gateway/spelling.h"

#include <algorithm>

#include <fmt/format.h>

#include "gateway/utf8_text.h"

namespace gateway {

namespace {

constexpr std::size_t word_octets_max = 64;  // comparing takes the square of it

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1,
                             cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t best_distance = 3;  // two slips of the finger, not three
  if (word.size() > word_octets_max) {
    return "";
  }
  for (std::string_view each : known) {
    std::size_t distance = edit_distance(word, each);
    if (distance < best_distance && distance * 2 < std::max(word.size(), each.size())) {
      best = each;
      best_distance = distance;
    }
  }
  return best.empty() ? "" : fmt::format(" (did you mean '{}'?)", printable(best));
}

}  // namespace gateway
