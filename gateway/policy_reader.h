// What reading a policy is made of: types, which turn a node into a value or say what is wrong with
// it, and keys, which bind a name of the file to a type, a default and a member. The tables of keys
// (policy_file.cpp, policy_authenticators.cpp, policy_routes.cpp and those that they name) are the
// one place where a key is described.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/scalar.h"
#include "gateway/policy.h"
#include "gateway/policy_file.h"
#include "gateway/policy_shape.h"
#include "gateway/policy_shown.h"
#include "gateway/yaml_reader.h"

namespace gateway {

inline constexpr std::size_t policy_text_octets_max = 64 * 1024;  // variables replaced
inline constexpr std::size_t policy_names_max = 1024;  // authenticators, backends, routes
inline constexpr std::size_t policy_name_octets_max = 64;
inline constexpr std::size_t policy_faults_max = 100;

// Collects what is wrong, and knows what stands outside of the file: variables and other files.
class PolicyReader {
 public:
  PolicyReader(std::string file, const Environment& environment)
      : file_(std::move(file)), environment_(environment) {}

  void fault(Mark mark, std::string what);
  void warn(Mark mark, std::string what);
  // A fault of the value of the key that is being read: "leeway: …".
  void wrong(Mark mark, std::string_view what);
  // "leeway: expected a duration, not a list": `node` is shown as it was written, variables not
  // replaced.
  void unexpected(const YamlNode& node, std::string_view expected);
  // What a parser says of the text, which it must not show: there may be a variable's value in it.
  // What begins with "expected" is told what there is instead.
  void refuse(const YamlNode& node, std::string_view what);
  // The key that is being read from now on; returns the one that was.
  std::string_view enter(std::string_view key) { return std::exchange(key_, key); }

  std::size_t fault_count() const { return fault_count_; }
  // In the order of the file.
  std::vector<PolicyError> take_faults();
  std::vector<PolicyError> take_warnings();

  // The scalar with its variables replaced; none: a fault was said.
  struct Text {
    std::string value;
    bool quoted = false;
    bool replaced = false;  // a variable stood in it
  };
  std::optional<Text> text(const YamlNode& node, std::string_view expected);

  // What an admin is shown of the scalar from now on; of a secret, this is all that is ever shown.
  void show_as(const YamlNode& node, std::string text) {
    shown_.insert_or_assign(node.mark, std::move(text));
  }
  const ShownScalars& shown() const { return shown_; }

  // Says which keys the mapping has that are not in `known`. False: it is no mapping.
  bool check_keys(const YamlNode& node, const std::vector<std::string_view>& known);

  // The whole of a file that the policy names, relative to the policy's own folder; none: a fault
  // was said at `mark`.
  std::optional<std::string> contents(Mark mark, const std::string& path, std::size_t octets_max);

 private:
  std::optional<std::string> replace_variables(const YamlNode& node, bool& replaced);

  std::string file_;
  std::string_view key_;
  const Environment& environment_;
  std::size_t fault_count_ = 0;  // also of those that are too many to be kept
  std::vector<PolicyError> faults_;
  std::vector<PolicyError> warnings_;
  ShownScalars shown_;
};

// --- types ---

template <typename T>
struct Type {
  std::string name;  // "a duration from 1s to 1h"
  std::function<std::optional<T>(PolicyReader&, const YamlNode&)> read;
  std::vector<KeyShape> inner = {};  // of a mapping
};

Type<Milliseconds> duration(Milliseconds min, Milliseconds max);
Type<std::uint64_t> size(std::uint64_t min, std::uint64_t max);
Type<std::uint64_t> number(std::uint64_t min, std::uint64_t max);
Type<double> rate();        // permits per second, over 0
Type<double> octet_rate();  // octets per second, over 0
Type<bool> flag();
Type<std::string> text(std::size_t octets_min, std::size_t octets_max);
Type<std::string> secret();  // text that nobody is shown
Type<std::string>
secret_file();                // the contents of the file named, without the end of its last line
Type<auth::Scalar> scalar();  // what a claim is compared with
Type<std::string> cookie_name();
Type<proxy::RedisServer> redis_server();  // its URL, which is a secret as a whole

// A scalar with a grammar of its own; for the parser's error see PolicyReader::refuse().
template <typename T>
Type<T> parsed(std::string name,
               std::function<std::expected<T, std::string>(std::string_view)> parse) {
  auto read = [name, parse](PolicyReader& reader, const YamlNode& node) -> std::optional<T> {
    auto text = reader.text(node, name);
    if (!text) {
      return std::nullopt;
    }
    auto value = parse(text->value);
    if (!value) {
      reader.refuse(node, value.error());
      return std::nullopt;
    }
    return std::move(*value);
  };
  return {std::move(name), std::move(read)};
}

std::string list_of_choices(const std::vector<std::string_view>& names);  // 'a', 'b' or 'c'

template <typename T>
Type<T> choice(std::vector<std::pair<std::string_view, T>> values) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : values) names.push_back(name);
  std::string expected = list_of_choices(names);
  auto read = [values = std::move(values), expected](PolicyReader& reader,
                                                     const YamlNode& node) -> std::optional<T> {
    auto text = reader.text(node, expected);
    if (!text) {
      return std::nullopt;
    }
    for (const auto& [name, value] : values) {
      if (text->value == name) return value;
    }
    reader.unexpected(node, expected);
    return std::nullopt;
  };
  return {expected, std::move(read)};
}

// Items that are wrong are left out, their faults said.
template <typename T>
Type<std::vector<T>> list_of(Type<T> item, std::size_t count_min, std::size_t count_max) {
  std::string name = "a list, each " + item.name;
  auto read = [item = std::move(item), name, count_min, count_max](
                  PolicyReader& reader, const YamlNode& node) -> std::optional<std::vector<T>> {
    if (node.kind != YamlNode::Kind::Sequence) {
      reader.unexpected(node, name);
      return std::nullopt;
    }
    if (node.items.size() < count_min || node.items.size() > count_max) {
      reader.wrong(node.mark, node.items.empty()
                                  ? "an empty list: it must have at least one"
                                  : "a list of more than " + std::to_string(count_max));
      return std::nullopt;
    }
    std::vector<T> values;
    for (const YamlNode& each : node.items) {
      if (auto value = item.read(reader, each)) values.push_back(std::move(*value));
    }
    return values;
  };
  return {std::move(name), std::move(read)};
}

// --- keys ---

template <typename Into>
struct Key : KeyShape {
  std::function<void(PolicyReader&, const YamlEntry&, Into&)> read;

  // What the reference says of it.
  Key says(std::string what) && {
    about = std::move(what);
    return std::move(*this);
  }
  Key if_left_out(std::string what) && {
    left_out = std::move(what);
    return std::move(*this);
  }
  Key of(std::vector<KeyShape> keys, Holds what = Holds::Mapping) && {
    holds = what;
    inner = std::move(keys);
    return std::move(*this);
  }
};

// A key whose value does not just go into a member.
template <typename Into>
Key<Into> key(std::string name, std::string type, std::string otherwise,
              std::function<void(PolicyReader&, const YamlEntry&, Into&)> read) {
  Key<Into> key;
  key.name = std::move(name);
  key.type = std::move(type);
  key.otherwise = std::move(otherwise);
  key.read = std::move(read);
  return key;
}

// The same of a value that has a type.
template <typename Into, typename T>
Key<Into> key(std::string name, const Type<T>& type, std::string otherwise,
              std::function<void(PolicyReader&, const YamlEntry&, Into&)> read) {
  auto made = key<Into>(std::move(name), type.name, std::move(otherwise), std::move(read));
  if (type.inner.empty()) return made;
  return std::move(made).of(type.inner);
}

template <typename Into, typename T, typename Member>
Key<Into> key(std::string name, Type<T> type, Member Into::*member, std::string otherwise = "") {
  auto read = [read = type.read, member](PolicyReader& reader, const YamlEntry& entry, Into& into) {
    if (auto value = read(reader, entry.value))
      into.*member = static_cast<Member>(std::move(*value));
  };
  return key<Into>(std::move(name), type, std::move(otherwise), std::move(read));
}

// The same of a part of what is read.
template <typename Into, typename Part, typename T, typename Member>
Key<Into> key(std::string name, Type<T> type, Part Into::*part, Member Part::*member,
              std::string otherwise = "") {
  auto read = [read = type.read, part, member](PolicyReader& reader, const YamlEntry& entry,
                                               Into& into) {
    if (auto value = read(reader, entry.value)) {
      into.*part.*member = static_cast<Member>(std::move(*value));
    }
  };
  return key<Into>(std::move(name), type, std::move(otherwise), std::move(read));
}

template <typename Into>
Key<Into> mandatory(Key<Into> key) {
  key.mandatory = true;
  return key;
}

template <typename Into>
std::vector<KeyShape> shapes_of(const std::vector<Key<Into>>& keys) {
  return {keys.begin(), keys.end()};
}

// A key of the contract that nothing serves yet. `accepted`: the value that is true all the same,
// since it says that the feature is off; `planned`: further values of the contract.
void read_not_built(PolicyReader& reader, const YamlEntry& entry, std::string_view accepted,
                    const std::vector<std::string_view>& planned);

template <typename Into>
Key<Into> not_built(std::string name, std::string accepted = "",
                    std::vector<std::string_view> planned = {}) {
  auto read = [accepted, planned](PolicyReader& reader, const YamlEntry& entry, Into&) {
    read_not_built(reader, entry, accepted, planned);
  };
  auto made = key<Into>(std::move(name), "not built yet", "", std::move(read));
  if (accepted.empty()) return made;
  return std::move(made).if_left_out("`" + accepted + "`");
}

// A default, as if it stood where `mark` is.
YamlEntry default_entry(const std::string& name, const std::string& text, Mark mark);

// Keys are read in the order of the table, whatever the file's: what a check needs stands before
// it. False: it is no mapping.
template <typename Into>
bool read_keys(PolicyReader& reader, const YamlNode& node, const std::vector<Key<Into>>& keys,
               Into& into) {
  std::vector<std::string_view> names;
  for (const Key<Into>& each : keys) names.push_back(each.name);
  if (!reader.check_keys(node, names)) {
    return false;
  }
  for (const Key<Into>& each : keys) {
    const std::string_view outer = reader.enter(each.name);
    if (const YamlEntry* entry = node.find(each.name)) {
      each.read(reader, *entry, into);
    } else if (each.mandatory) {
      reader.fault(node.mark, "'" + each.name + "' is missing");
    } else if (!each.otherwise.empty()) {
      each.read(reader, default_entry(each.name, each.otherwise, node.mark), into);
    }
    reader.enter(outer);
  }
  return true;
}

template <typename Into>
Type<Into> mapping(std::vector<Key<Into>> keys) {
  auto shapes = shapes_of(keys);
  auto read = [keys = std::move(keys)](PolicyReader& reader,
                                       const YamlNode& node) -> std::optional<Into> {
    Into into;
    if (!read_keys(reader, node, keys, into)) {
      return std::nullopt;
    }
    return into;
  };
  return {"a mapping", std::move(read), std::move(shapes)};
}

// A mapping whose keys are names that the operator chose: [A-Za-z0-9_-], at most
// policy_name_octets_max. `read` is also told how many faults there were before this entry: it is
// good if there are no more behind it.
void read_named(PolicyReader& reader, const YamlNode& node,
                const std::function<void(const YamlEntry&, std::size_t faults_before)>& read);

// The place of a key's value, or of the mapping where it was left out.
Mark mark_at(const YamlNode& node, std::string_view key);

}  // namespace gateway
