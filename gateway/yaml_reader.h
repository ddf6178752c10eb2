// YAML text -> a tree of nodes with their places, strictly: what a reader of the file could take in
// two ways is a fault here. The only file that knows which YAML library reads.
//
// Faults: duplicate keys, keys that are not plain text, tags, merge keys, a second document,
// control characters, invalid UTF-8, and whatever exceeds a bound below. Aliases are expanded.
#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gateway {

inline constexpr std::size_t yaml_file_octets_max = 1024 * 1024;
inline constexpr std::size_t yaml_depth_max = 32;
inline constexpr std::size_t yaml_nodes_max = 100'000;  // aliases expanded
inline constexpr std::size_t yaml_entries_max = 2048;   // of one mapping
inline constexpr std::size_t yaml_expanded_octets_max = 4 * 1024 * 1024;
inline constexpr std::size_t yaml_faults_max = 100;

// Where something stands in a file; both count from 1. Line 0: nowhere in particular.
struct Mark {
  int line = 0;
  int column = 0;

  auto operator<=>(const Mark&) const = default;
};

struct YamlEntry;

struct YamlNode {
  enum class Kind { Null, Scalar, Sequence, Map };

  Kind kind = Kind::Null;
  Mark mark;
  std::string text;     // of a scalar; of a null: how it is written, or empty where it is left out
  bool quoted = false;  // "…", '…' or a block: text, whatever it looks like
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;

  const YamlEntry* find(std::string_view key) const;  // null: not there
};

struct YamlEntry {
  std::string key;
  Mark key_mark;
  YamlNode value;
};

struct YamlFault {
  Mark mark;
  std::string what;
};

struct YamlDocument {
  std::optional<YamlNode> root;  // none: nothing could be read
  std::vector<YamlFault> faults;
};

YamlDocument parse_yaml(std::string_view text);

}  // namespace gateway
