// What all lists of the admin API have in common: `?limit=` and `?after=`, and the `next` to ask
// for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/admin_api.h"
#include "gateway/json_text.h"
#include "gateway/page.h"

namespace gateway {

inline constexpr std::size_t admin_list_default = 1'000;
inline constexpr std::size_t admin_list_max = 10'000;

// Which part of a list; none: `limit` is no number from 1 to admin_list_max.
struct AdminListPart {
  std::string after;  // the key that it is behind; empty: from the beginning
  std::size_t limit = admin_list_default;
};
// How an error says that it is not, and that a worker did not answer (census.h).
inline constexpr std::string_view bad_list_part = "limit: expected a number from 1 to 10000";
inline constexpr std::string_view census_failed =
    "a worker did not answer in time, or too much is asked at once";
std::optional<AdminListPart> read_list_part(const AdminQuery& query);

// What all workers' walks have found, in the first of them.
template <typename Walk>
Walk& merged(std::vector<Walk>& walks) {
  for (std::size_t i = 1; i < walks.size(); ++i) merge(walks.front(), walks[i]);
  return walks.front();
}

// `"name":[…],"next":…`: null, or what `after` has to be for the next part. `append_row` is given
// the text, the key and the row.
template <typename Row, typename AppendRow>
void append_list(std::string& json, std::string_view name, Page<Row>& page, AppendRow append_row) {
  const auto next = page.end();
  append_json_string(json, name);
  json += ":[";
  for (bool first = true; const auto& [key, row] : page.kept()) {
    if (!std::exchange(first, false)) json += ',';
    append_row(json, key, row);
  }
  json += R"(],"next":)";
  next ? append_json_string(json, *next) : void(json += "null");
}

}  // namespace gateway
