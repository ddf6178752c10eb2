// The first so many of a list in the order of its keys, and where the next ones begin: whoever asks
// for page after page gets all that was there the whole time, each once.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace gateway {

template <typename Row>
class Page {
 public:
  using Rows = std::map<std::string, Row, std::less<>>;

  // Of keys behind `after`, at most `rows_max`; one more is kept, to know that there is one.
  Page(std::string after, std::size_t rows_max) : after_(std::move(after)), rows_max_(rows_max) {}

  // Whether a row of this key would be of the page, as far as it is known.
  bool takes(std::string_view key) const {
    return key > after_ && (rows_.size() <= rows_max_ || key <= rows_.rbegin()->first);
  }

  // The row of that key, a new one unless it is there; null: it is not of the page. Until the next
  // one is added.
  Row* row_of(std::string_view key) {
    if (!takes(key)) return nullptr;
    auto row = rows_.lower_bound(key);
    if (row == rows_.end() || row->first != key) {
      row = rows_.emplace_hint(row, key, Row());
      if (rows_.size() > rows_max_ + 1) rows_.erase(std::prev(rows_.end()));
    }
    return &row->second;
  }

  // What is kept: one row more than the page has, where there is a next one.
  const Rows& kept() const { return rows_; }

  // The key that the next page is behind; none: this is the last one. Nothing is added afterwards.
  std::optional<std::string> end() {
    if (rows_.size() <= rows_max_) return std::nullopt;
    rows_.erase(std::prev(rows_.end()));
    return rows_.rbegin()->first;
  }

 private:
  std::string after_;
  std::size_t rows_max_;  // at least 1
  Rows rows_;
};

}  // namespace gateway
