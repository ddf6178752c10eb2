#include "gateway/policy_reader.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "gateway/file_text.h"
#include "gateway/plain_scalar.h"
#include "gateway/policy_values.h"
#include "gateway/spelling.h"
#include "gateway/utf8_text.h"
#include "proxy/http.h"

namespace gateway {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string show(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::Null:
      return "nothing";
    case YamlNode::Kind::Scalar:
      return fmt::format("'{}'", printable(node.text));
    case YamlNode::Kind::Sequence:
      return node.items.empty() ? "an empty list" : fmt::format("a list of {}", node.items.size());
    case YamlNode::Kind::Map:
      return node.entries.empty() ? "an empty mapping" : "a mapping";
  }
  return "";
}

bool is_variable_name(std::string_view name) {
  auto fits = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && !is_digit(name.front()) && std::all_of(name.begin(), name.end(), fits);
}

// A scalar that is a word of its own kind: quoting it changes nothing.
template <typename T>
Type<T> word(std::string name, std::function<std::optional<T>(std::string_view)> parse) {
  auto read = [name, parse = std::move(parse)](PolicyReader& reader,
                                               const YamlNode& node) -> std::optional<T> {
    auto text = reader.text(node, name);
    if (!text) {
      return std::nullopt;
    }
    auto value = parse(text->value);
    if (!value) reader.unexpected(node, name);
    return value;
  };
  return {std::move(name), std::move(read)};
}

// A scalar that is not text: in quotes only where a variable needs them.
template <typename T>
Type<T> unquoted(std::string name, std::function<std::optional<T>(std::string_view)> parse) {
  auto read = [name, parse = std::move(parse)](PolicyReader& reader,
                                               const YamlNode& node) -> std::optional<T> {
    auto text = reader.text(node, name);
    if (!text) {
      return std::nullopt;
    }
    auto value = parse(text->value);
    if (!value) {
      reader.unexpected(node, name);
    } else if (text->quoted && !text->replaced) {
      reader.wrong(node.mark, fmt::format("expected {}, without quotes", name));
      return std::nullopt;
    }
    return value;
  };
  return {std::move(name), std::move(read)};
}

template <typename T>
std::function<std::optional<T>(std::string_view)> within(
    std::optional<T> (*parse)(std::string_view), T min, T max) {
  return [=](std::string_view text) -> std::optional<T> {
    auto value = parse(text);
    return value && *value >= min && *value <= max ? value : std::nullopt;
  };
}

bool looks_like_text(const PolicyReader::Text& text) {
  if (text.quoted || text.replaced) {
    return true;
  }
  Plain plain = classify(text.value);
  return plain == Plain::Text || plain == Plain::AmbiguousWord;
}

std::optional<auth::Scalar> plain_scalar(PolicyReader& reader, const YamlNode& node,
                                         const PolicyReader::Text& text) {
  const std::string& value = text.value;
  switch (classify(value)) {
    case Plain::Text:
      return value;
    case Plain::Bool:
      return value == "true";
    case Plain::Integer: {
      std::int64_t number = 0;
      auto end = value.data() + value.size();
      if (std::from_chars(value.data(), end, number).ec == std::errc()) {
        return number;
      }
      reader.wrong(node.mark, "a number of more than 63 bits");
      return std::nullopt;
    }
    case Plain::Real:
      return std::strtod(value.c_str(), nullptr);
    case Plain::AmbiguousNumber:
    case Plain::AmbiguousWord:
      break;
  }
  reader.wrong(
      node.mark,
      fmt::format("{} can be read in two ways: put it in quotes to mean the text", show(node)));
  return std::nullopt;
}

}  // namespace

// --- faults ---

void PolicyReader::fault(Mark mark, std::string what) {
  ++fault_count_;
  if (faults_.size() < policy_faults_max) {
    faults_.push_back({file_, mark.line, mark.column, std::move(what)});
  }
}

void PolicyReader::warn(Mark mark, std::string what) {
  if (warnings_.size() < policy_faults_max) {
    warnings_.push_back({file_, mark.line, mark.column, std::move(what)});
  }
}

void PolicyReader::wrong(Mark mark, std::string_view what) {
  fault(mark, key_.empty() ? std::string(what) : fmt::format("{}: {}", key_, what));
}

void PolicyReader::unexpected(const YamlNode& node, std::string_view expected) {
  wrong(node.mark, fmt::format("expected {}, not {}", expected, show(node)));
}

void PolicyReader::refuse(const YamlNode& node, std::string_view what) {
  constexpr std::string_view expected = "expected ";
  if (what.starts_with(expected)) {
    unexpected(node, what.substr(expected.size()));
  } else {
    wrong(node.mark, what);
  }
}

namespace {

// What has the same place stays in the order in which it was said.
std::vector<PolicyError> in_file_order(std::vector<PolicyError> errors) {
  std::multimap<std::pair<int, int>, PolicyError> by_place;
  for (PolicyError& error : errors) {
    by_place.emplace(std::pair(error.line, error.column), std::move(error));
  }
  errors.clear();
  for (auto& [place, error] : by_place) errors.push_back(std::move(error));
  return errors;
}

}  // namespace

std::vector<PolicyError> PolicyReader::take_faults() { return in_file_order(std::move(faults_)); }

std::vector<PolicyError> PolicyReader::take_warnings() {
  return in_file_order(std::move(warnings_));
}

// --- scalars ---

std::optional<std::string> PolicyReader::replace_variables(const YamlNode& node, bool& replaced) {
  std::string result;
  std::string_view rest = node.text;
  while (true) {
    auto start = rest.find("${");
    if (start == rest.npos) {
      return result.append(rest);
    }
    if (start > 0 && rest[start - 1] == '$') {  // $${ is a literal ${
      result.append(rest.substr(0, start - 1)).append("${");
      rest.remove_prefix(start + 2);
      continue;
    }
    result.append(rest.substr(0, start));
    rest.remove_prefix(start + 2);
    auto end = rest.find('}');
    std::string_view inside = rest.substr(0, end);
    auto otherwise = inside.find(":-");
    std::string name(inside.substr(0, otherwise));
    if (end == rest.npos || !is_variable_name(name) || inside.contains("${")) {
      wrong(node.mark, "expected ${NAME} or ${NAME:-default} after '${' ('$${' is a literal one)");
      return std::nullopt;
    }
    auto value = environment_(name);
    if (otherwise == inside.npos && !value) {
      wrong(node.mark, fmt::format("the variable {} is not set", printable(name)));
      return std::nullopt;
    }
    // As in a shell, an empty variable counts as unset where there is a default.
    bool fall_back = otherwise != inside.npos && (!value || value->empty());
    result.append(fall_back ? inside.substr(otherwise + 2) : std::string_view(*value));
    replaced = true;
    rest.remove_prefix(end + 1);
    if (result.size() > policy_text_octets_max) {
      return result;
    }
  }
}

std::optional<PolicyReader::Text> PolicyReader::text(const YamlNode& node,
                                                     std::string_view expected) {
  if (node.kind != YamlNode::Kind::Scalar) {
    unexpected(node, expected);
    return std::nullopt;
  }
  Text text;
  text.quoted = node.quoted;
  auto value = replace_variables(node, text.replaced);
  if (!value) {
    return std::nullopt;
  }
  if (value->size() > policy_text_octets_max) {
    wrong(node.mark, fmt::format("longer than {} KiB", policy_text_octets_max / 1024));
    return std::nullopt;
  }
  // The file was checked as a whole; a variable and an escape such as "\0" were not.
  if (value->contains('\0') || valid_utf8_prefix(*value) != value->size()) {
    wrong(node.mark, "not UTF-8, or with an octet 0");
    return std::nullopt;
  }
  text.value = std::move(*value);
  if (text.replaced && no_secret(text.value)) shown_.emplace(node.mark, text.value);
  return text;
}

std::optional<std::string> PolicyReader::contents(Mark mark, const std::string& path,
                                                  std::size_t octets_max) {
  std::filesystem::path whole = std::filesystem::path(file_).parent_path() / path;
  std::error_code error;
  if (std::filesystem::exists(whole, error) && !std::filesystem::is_regular_file(whole, error)) {
    wrong(mark, fmt::format("{} is not a file", printable(whole.string())));
    return std::nullopt;
  }
  auto text = read_file(whole.string(), octets_max);
  if (!text) {
    wrong(mark, fmt::format("cannot read {}: {}", printable(whole.string()), text.error()));
    return std::nullopt;
  }
  return std::move(*text);
}

// --- keys ---

bool PolicyReader::check_keys(const YamlNode& node, const std::vector<std::string_view>& known) {
  if (node.kind != YamlNode::Kind::Map) {
    unexpected(node, "a mapping");
    return false;
  }
  for (const YamlEntry& entry : node.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) {
      continue;
    }
    if (fault_count_ >= policy_faults_max) {  // the search below would be for nobody
      fault(entry.key_mark, "unknown key");
    } else {
      fault(entry.key_mark, fmt::format("unknown key '{}'{}", printable(entry.key),
                                        did_you_mean(entry.key, known)));
    }
  }
  return true;
}

void read_not_built(PolicyReader& reader, const YamlEntry& entry, std::string_view accepted,
                    const std::vector<std::string_view>& planned) {
  if (accepted.empty() || entry.value.kind != YamlNode::Kind::Scalar) {
    reader.fault(entry.key_mark, fmt::format("'{}' is not built yet", entry.key));
    return;
  }
  auto text = reader.text(entry.value, fmt::format("'{}'", accepted));
  if (!text || text->value == accepted) {
    return;
  }
  if (planned.empty() || std::find(planned.begin(), planned.end(), text->value) != planned.end()) {
    reader.fault(entry.key_mark,
                 fmt::format("'{}: {}' is not built yet", entry.key, printable(entry.value.text)));
  } else {
    reader.unexpected(entry.value, fmt::format("'{}'", accepted));
  }
}

YamlEntry default_entry(const std::string& name, const std::string& text, Mark mark) {
  YamlDocument document = parse_yaml(text);
  YamlEntry entry{name, mark, {}};
  if (document.root) entry.value = *std::move(document.root);
  entry.value.mark = mark;
  return entry;
}

Mark mark_at(const YamlNode& node, std::string_view key) {
  const YamlEntry* entry = node.find(key);
  return entry ? entry->value.mark : node.mark;
}

void read_named(PolicyReader& reader, const YamlNode& node,
                const std::function<void(const YamlEntry&, std::size_t)>& read) {
  if (node.kind != YamlNode::Kind::Map) {
    reader.unexpected(node, "a mapping of names");
    return;
  }
  if (node.entries.size() > policy_names_max) {
    reader.fault(node.mark, fmt::format("more than {} names", policy_names_max));
    return;
  }
  auto fits = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  };
  for (const YamlEntry& entry : node.entries) {
    const std::size_t faults_before = reader.fault_count();
    if (entry.key.empty() || entry.key.size() > policy_name_octets_max ||
        !std::all_of(entry.key.begin(), entry.key.end(), fits)) {
      reader.fault(entry.key_mark,
                   fmt::format("a name has letters, digits, '-' and '_', at most {}: not '{}'",
                               policy_name_octets_max, printable(entry.key)));
    }
    read(entry, faults_before);
  }
}

// --- types ---

std::string list_of_choices(const std::vector<std::string_view>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += fmt::format("'{}'", names[i]);
  }
  return text;
}

Type<Milliseconds> duration(Milliseconds min, Milliseconds max) {
  return word<Milliseconds>(
      fmt::format("a duration such as 30s, from {} to {}", show_duration(min), show_duration(max)),
      within(parse_duration, min, max));
}

Type<std::uint64_t> size(std::uint64_t min, std::uint64_t max) {
  return word<std::uint64_t>(
      fmt::format("a size such as 64KiB, from {} to {}", show_size(min), show_size(max)),
      within(parse_size, min, max));
}

Type<std::uint64_t> number(std::uint64_t min, std::uint64_t max) {
  std::string name = min == max ? fmt::format("the number {}", min)
                                : fmt::format("a number from {} to {}", min, max);
  return unquoted<std::uint64_t>(std::move(name), within(parse_number, min, max));
}

// The least is one a minute, so that no bucket takes a day to say yes; the most is what a double
// counts exactly.
constexpr double rate_max = 1e9;
constexpr double octet_rate_max = 1e12;

Type<double> rate() {
  return word<double>("a rate over 0 such as 10/s or 600/m",
                      within(parse_rate, 1.0 / 60, rate_max));
}

Type<double> octet_rate() {
  return word<double>("a rate over 0 such as 256KiB/s or 1MiB/m",
                      within(parse_octet_rate, 1.0 / 60, octet_rate_max));
}

Type<bool> flag() {
  auto parse = [](std::string_view text) -> std::optional<bool> {
    if (text != "true" && text != "false") return std::nullopt;
    return text == "true";
  };
  return unquoted<bool>("'true' or 'false'", parse);
}

Type<std::string> text(std::size_t octets_min, std::size_t octets_max) {
  auto read = [=](PolicyReader& reader, const YamlNode& node) -> std::optional<std::string> {
    auto text = reader.text(node, "text");
    if (!text) {
      return std::nullopt;
    }
    if (!looks_like_text(*text)) {
      reader.wrong(node.mark, fmt::format("expected text: put {} in quotes", show(node)));
    } else if (text->value.size() < octets_min || text->value.size() > octets_max) {
      reader.wrong(node.mark, fmt::format("expected text of {} to {} octets, not of {}", octets_min,
                                          octets_max, text->value.size()));
    } else if (has_control_characters(text->value)) {
      reader.wrong(node.mark, "text with a control character");
    } else {
      return std::move(text->value);
    }
    return std::nullopt;
  };
  return {"text", read};
}

Type<std::string> secret() {
  auto read = [](PolicyReader& reader, const YamlNode& node) -> std::optional<std::string> {
    auto text = reader.text(node, "text");
    if (!text) {
      return std::nullopt;
    }
    if (!looks_like_text(*text)) {
      reader.wrong(node.mark, "expected text: put the secret in quotes");
      return std::nullopt;
    }
    reader.show_as(node, std::string(secret_shown));
    return std::move(text->value);
  };
  return {"a secret", read};
}

Type<std::string> secret_file() {
  auto read = [](PolicyReader& reader, const YamlNode& node) -> std::optional<std::string> {
    auto path = text(1, 4096).read(reader, node);
    auto secret = path ? reader.contents(node.mark, *path, policy_text_octets_max) : std::nullopt;
    if (secret && secret->ends_with('\n')) secret->pop_back();
    if (secret && secret->ends_with('\r')) secret->pop_back();
    return secret;
  };
  return {"the path of a file with a secret", read};
}

Type<auth::Scalar> scalar() {
  auto read = [](PolicyReader& reader, const YamlNode& node) -> std::optional<auth::Scalar> {
    if (node.kind == YamlNode::Kind::Null && !node.text.empty()) {
      return auth::Scalar(nullptr);
    }
    auto text = reader.text(node, "a text, a number, 'true', 'false' or 'null'");
    if (!text) {
      return std::nullopt;
    }
    if (text->quoted) {
      return auth::Scalar(std::move(text->value));
    }
    return plain_scalar(reader, node, *text);
  };
  return {"a text, a number, 'true', 'false' or 'null'", read};
}

Type<std::string> cookie_name() {
  return parsed<std::string>("the name of a cookie",
                             [](std::string_view text) -> std::expected<std::string, std::string> {
                               if (proxy::is_token(text)) return std::string(text);
                               return std::unexpected("no cookie name (RFC 6265 section 4.1.1)");
                             });
}

// No error shows a part of it.
Type<proxy::RedisServer> redis_server() {
  auto read = [](PolicyReader& reader, const YamlNode& node) -> std::optional<proxy::RedisServer> {
    const auto url = secret().read(reader, node);
    if (!url) return std::nullopt;
    auto server = proxy::parse_redis_url(*url);
    if (!server) {
      reader.fault(node.mark, server.error());
      return std::nullopt;
    }
    reader.show_as(node, proxy::show_redis_url(*server));
    return std::move(*server);
  };
  return {"a redis:// or unix:// URL", read};
}

}  // namespace gateway
