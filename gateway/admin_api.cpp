#include "gateway/admin_api.h"

#include <algorithm>
#include <optional>

#include "gateway/json_text.h"

namespace gateway {
namespace {

// What the {…} of `pattern` stand for; none: it is not that path.
std::optional<std::vector<std::string>> capture(std::string_view pattern,
                                                const std::vector<std::string>& segments) {
  std::vector<std::string> captured;
  for (const auto& segment : segments) {
    if (pattern.empty()) return std::nullopt;
    pattern.remove_prefix(1);  // the '/' before it
    const auto wanted = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(wanted.size());
    if (wanted.starts_with('{')) {
      if (segment.empty()) return std::nullopt;
      captured.push_back(segment);
    } else if (wanted != segment) {
      return std::nullopt;
    }
  }
  if (!pattern.empty()) return std::nullopt;
  return captured;
}

bool answers(const AdminRow& row, std::string_view method) {
  return row.method == method || (row.method == "GET" && method == "HEAD");
}

void append_method(std::string& allow, std::string_view method) {
  if (!allow.empty()) allow += ", ";
  allow += method;
  if (method == "GET") allow += ", HEAD";
}

}  // namespace

AdminAnswer admin_error(int status, std::string_view what) {
  AdminAnswer answer{status, R"({"error":)"};
  append_json_string(answer.content, what);
  answer.content += '}';
  return answer;
}

bool AdminQuery::add(std::string name, std::string value) {
  if (find(name) || parameters_.size() == parameters_max) return false;
  parameters_.emplace_back(std::move(name), std::move(value));
  return true;
}

const std::string* AdminQuery::find(std::string_view name) const {
  const auto found = std::ranges::find(
      parameters_, name, [](const auto& parameter) { return std::string_view(parameter.first); });
  return found == parameters_.end() ? nullptr : &found->second;
}

bool AdminQuery::only(std::initializer_list<std::string_view> known) const {
  return std::ranges::all_of(parameters_, [&](const auto& parameter) {
    return std::ranges::find(known, parameter.first) != known.end();
  });
}

AdminHandler answer_with(std::string_view content_type, std::function<std::string()> content) {
  return [content_type, content = std::move(content)](const AdminCall&, AdminReply reply) {
    reply({200, content(), content_type});
  };
}

AdminApi::Match AdminApi::find(std::string_view method,
                               const std::vector<std::string>& segments) const {
  Match match;
  for (const AdminRow& row : rows_) {
    auto captured = capture(row.path, segments);
    if (!captured) continue;
    match.needs_token = row.needs_token;
    append_method(match.allow, row.method);
    if (!answers(row, method)) continue;
    match.row = &row;
    match.captured = std::move(*captured);
  }
  return match;
}

}  // namespace gateway
