#include "gateway/policy_conditions.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "auth/captures.h"
#include "auth/subject.h"

namespace gateway {

namespace {

using Kind = auth::Condition::Kind;

// What a condition is about: one of a room knows a test and captures that one of a handshake does
// not.
struct About {
  std::string_view expected;
  std::string_view keys;
  std::string_view captured_from;
  bool of_room;
};

constexpr About handshake{
    "a condition: everyone, nobody, or a mapping with 'subjects', 'claim', 'all', 'any' or 'not'",
    "'subjects', 'claim', 'all', 'any' and 'not'", "the path", false};
constexpr About room{
    "a condition: everyone, nobody, or a mapping with 'subjects', 'claim', 'capability', 'all', "
    "'any' or 'not'",
    "'subjects', 'claim', 'capability', 'all', 'any' and 'not'", "the room or the path", true};

class ConditionReader {
 public:
  ConditionReader(PolicyReader& reader, const About& about, const CaptureNames& captures)
      : reader_(reader), about_(about), captures_(captures) {}

  std::optional<auth::Condition> read(const YamlNode& node, int depth) {
    if (depth > condition_depth_max) {
      reader_.wrong(node.mark,
                    fmt::format("conditions nested deeper than {}", condition_depth_max));
      return std::nullopt;
    }
    if (node.kind == YamlNode::Kind::Scalar) {
      return read_word(node);
    }
    if (node.kind != YamlNode::Kind::Map) {
      reader_.unexpected(node, about_.expected);
      return std::nullopt;
    }
    return read_map(node, depth);
  }

 private:
  static auth::Condition made(Kind kind, const YamlNode& node) {
    auth::Condition condition;
    condition.kind = kind;
    condition.line = node.mark.line;
    return condition;
  }

  std::optional<auth::Condition> read_word(const YamlNode& node) {
    auto word = reader_.text(node, about_.expected);
    if (!word) {
      return std::nullopt;
    }
    if (word->value == "everyone") return made(Kind::Everyone, node);
    if (word->value == "nobody") return made(Kind::Nobody, node);
    reader_.unexpected(node, about_.expected);
    return std::nullopt;
  }

  std::optional<auth::Condition> read_map(const YamlNode& node, int depth) {
    static const std::vector<std::string_view> known = {
        "subjects", "claim", "equals", "in", "contains", "capability", "all", "any", "not"};
    reader_.check_keys(node, known);
    if (node.find("claim")) {
      return read_claim(node);
    }
    if (node.entries.size() != 1) {
      reader_.wrong(node.mark, fmt::format("expected exactly one of {}", about_.keys));
      return std::nullopt;
    }
    const YamlEntry& only = node.entries.front();
    if (only.key == "capability") return read_capability(node, only);
    if (only.key == "subjects") return read_subjects(node, only.value);
    if (only.key == "all") return read_children(Kind::All, node, only.value, depth);
    if (only.key == "any") return read_children(Kind::Any, node, only.value, depth);
    if (only.key == "not") return read_not(node, only.value, depth);
    if (only.key == "equals" || only.key == "in" || only.key == "contains") {
      reader_.fault(only.key_mark, fmt::format("'{}' without 'claim'", only.key));
    }
    return std::nullopt;
  }

  std::optional<auth::Condition> read_subjects(const YamlNode& node, const YamlNode& value) {
    Type<std::string> subject = text(1, auth::subject_octets_max);
    subject.read = [this, read = std::move(subject.read)](PolicyReader& reader,
                                                          const YamlNode& each) {
      auto name = read(reader, each);
      if (name) check_captures(each.mark, *name);
      return name;
    };
    auto subjects = list_of(std::move(subject), 1, condition_values_max).read(reader_, value);
    if (!subjects) {
      return std::nullopt;
    }
    auth::Condition condition = made(Kind::Subjects, node);
    condition.subjects = std::move(*subjects);
    return condition;
  }

  std::optional<auth::Condition> read_children(Kind kind, const YamlNode& node,
                                               const YamlNode& list, int depth) {
    Type<auth::Condition> child{
        std::string(about_.expected),
        [this, depth](PolicyReader&, const YamlNode& each) { return read(each, depth + 1); }};
    // An empty `all` would let everyone in: nobody means that.
    auto children = list_of(std::move(child), 1, condition_values_max).read(reader_, list);
    if (!children) {
      return std::nullopt;
    }
    auth::Condition condition = made(kind, node);
    condition.children = std::move(*children);
    return condition;
  }

  std::optional<auth::Condition> read_not(const YamlNode& node, const YamlNode& value, int depth) {
    auto child = read(value, depth + 1);
    if (!child) {
      return std::nullopt;
    }
    auth::Condition condition = made(Kind::Not, node);
    condition.children.push_back(std::move(*child));
    return condition;
  }

  std::optional<auth::Condition> read_claim(const YamlNode& node) {
    static constexpr std::pair<std::string_view, Kind> tests[] = {
        {"equals", Kind::Equals}, {"in", Kind::In}, {"contains", Kind::Contains}};
    auto name = claim_name().read(reader_, node.find("claim")->value);
    const YamlEntry* test = nullptr;
    auth::Condition condition;
    for (const auto& [key, kind] : tests) {
      if (const YamlEntry* entry = node.find(key)) {
        test = entry;
        condition = made(kind, node);
      }
    }
    if (!test || node.entries.size() != 2) {
      reader_.fault(node.mark, "'claim' goes with exactly one of 'equals', 'in' and 'contains'");
      return std::nullopt;
    }
    bool read = condition.kind == Kind::In ? read_values(test->value, condition)
                                           : read_value(test->value, condition);
    if (!name || !read) {
      return std::nullopt;
    }
    condition.claim = std::move(*name);
    return condition;
  }

  std::optional<auth::Condition> read_capability(const YamlNode& node, const YamlEntry& entry) {
    if (!about_.of_room) {
      reader_.fault(entry.key_mark, "'capability' is about a room: a handshake names none");
      return std::nullopt;
    }
    auto name = claim_name().read(reader_, entry.value);
    if (!name) {
      return std::nullopt;
    }
    auth::Condition condition = made(Kind::Capability, node);
    condition.claim = std::move(*name);
    return condition;
  }

  Type<auth::Scalar> value_type() {
    Type<auth::Scalar> type = scalar();
    type.read = [this, read = std::move(type.read)](PolicyReader& reader, const YamlNode& node) {
      auto value = read(reader, node);
      if (value && std::holds_alternative<std::string>(*value)) {
        check_captures(node.mark, std::get<std::string>(*value));
      }
      return value;
    };
    return type;
  }

  bool read_values(const YamlNode& list, auth::Condition& condition) {
    auto values = list_of(value_type(), 1, condition_values_max).read(reader_, list);
    if (!values) {
      return false;
    }
    condition.values = std::move(*values);
    return true;
  }

  bool read_value(const YamlNode& node, auth::Condition& condition) {
    auto value = value_type().read(reader_, node);
    if (!value) {
      return false;
    }
    condition.values.push_back(std::move(*value));
    return true;
  }

  // {name} must be captured by something; other braces are text.
  void check_captures(Mark mark, std::string_view text) {
    if (!captures_) {
      return;
    }
    for (std::string_view name : auth::capture_names(text)) {
      if (std::find(captures_->begin(), captures_->end(), name) == captures_->end()) {
        reader_.wrong(mark,
                      fmt::format("'{{{}}}' is no capture of {}", name, about_.captured_from));
      }
    }
  }

  PolicyReader& reader_;
  const About& about_;
  const CaptureNames& captures_;
};

bool is_json_pointer(std::string_view text) {
  for (auto at = text.find('~'); at != text.npos; at = text.find('~', at + 1)) {
    if (at + 1 == text.size() || (text[at + 1] != '0' && text[at + 1] != '1')) {
      return false;
    }
  }
  return true;
}

}  // namespace

Type<std::string> claim_name() {
  auto read = [](PolicyReader& reader, const YamlNode& node) -> std::optional<std::string> {
    auto name = text(1, claim_name_octets_max).read(reader, node);
    if (name && name->starts_with('/') && !is_json_pointer(*name)) {
      reader.wrong(node.mark, "no JSON Pointer: '~' is written '~0', '/' inside of a name '~1'");
      return std::nullopt;
    }
    return name;
  };
  return {"a claim's name or a JSON Pointer", read};
}

std::optional<auth::Condition> read_condition(PolicyReader& reader, const YamlNode& node,
                                              const CaptureNames& captures) {
  return ConditionReader(reader, handshake, captures).read(node, 1);
}

std::optional<auth::Condition> read_room_condition(PolicyReader& reader, const YamlNode& node,
                                                   const CaptureNames& captures) {
  return ConditionReader(reader, room, captures).read(node, 1);
}

}  // namespace gateway
