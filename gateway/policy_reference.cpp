#include "gateway/policy_reference.h"

#include <fmt/format.h>

namespace gateway {

namespace {

// Types say words of the policy 'like this', Markdown `like this`; a claim's name has no quote.
std::string in_markdown(std::string_view type) {
  std::string text(type);
  bool within = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = text[i] == '\'' && (i == 0 || text[i - 1] == ' ');
    if (begins || (within && text[i] == '\'')) {
      within = begins;
      text[i] = '`';
    }
  }
  return text;
}

std::string default_of(const KeyShape& key) {
  if (key.mandatory) return "mandatory";
  if (!key.left_out.empty()) return key.left_out;
  if (!key.otherwise.empty()) return fmt::format("`{}`", key.otherwise);
  return "none";
}

std::string path_within(const std::string& path, KeyShape::Holds holds) {
  switch (holds) {
    case KeyShape::Holds::List:
      return path + "[].";
    case KeyShape::Holds::Names:
      return path + ".NAME.";
    case KeyShape::Holds::Value:
    case KeyShape::Holds::Mapping:
      break;
  }
  return path + ".";
}

void write_rows(const std::vector<KeyShape>& keys, const std::string& within, std::string& to) {
  for (const KeyShape& key : keys) {
    const std::string path = within + key.name;
    fmt::format_to(std::back_inserter(to), "| `{}` | {} | {} | {} |\n", path, in_markdown(key.type),
                   default_of(key), key.about);
    write_rows(key.inner, path_within(path, key.holds), to);
  }
}

}  // namespace

std::string write_policy_reference(const std::vector<KeyShape>& keys) {
  std::string table = "| key | type | left out | what it is |\n| --- | --- | --- | --- |\n";
  write_rows(keys, "", table);
  return table;
}

std::optional<std::string> with_policy_reference(std::string_view document,
                                                 std::string_view reference) {
  const auto begin = document.find(policy_reference_begin);
  const auto end = document.find(policy_reference_end);
  if (begin == document.npos || end == document.npos || end < begin) return std::nullopt;
  const auto table = begin + policy_reference_begin.size();
  return fmt::format("{}\n{}\n{}", document.substr(0, table), reference, document.substr(end));
}

}  // namespace gateway
