#include "gateway/yaml_reader.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "gateway/utf8_text.h"

namespace gateway {

namespace {

Mark mark_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// What a subtree costs when it is copied.
struct Cost {
  std::size_t nodes = 0;
  std::size_t octets = 0;
};

Cost cost_of(const YamlNode& node) {
  Cost cost{1, node.text.size()};
  auto add = [&cost](const Cost& other) {
    cost.nodes += other.nodes;
    cost.octets += other.octets;
  };
  for (const YamlNode& item : node.items) add(cost_of(item));
  for (const YamlEntry& entry : node.entries) {
    cost.octets += entry.key.size();
    add(cost_of(entry.value));
  }
  return cost;
}

// Builds the tree from the parser's events. Once a bound is exceeded it ignores the rest.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, YamlDocument& document) : text_(text), document_(document) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 1) {
      stop(mark_of(mark), "a second document: a policy is one");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.mark = mark_of(mark);
    // The parser says the same of a value left out, whose mark is that of whatever comes next.
    std::string_view here = text_.substr(std::min<std::size_t>(mark.pos, text_.size()));
    here = here.substr(0, here.find_first_of(" \t\r\n,]}#:"));
    if (here == "~" || here == "null" || here == "Null" || here == "NULL") {
      node.text = here;
    }
    leaf(std::move(node), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.kind = YamlNode::Kind::Scalar;
    node.mark = mark_of(mark);
    node.text = value;
    node.quoted = tag == "!";  // YAML 1.2 section 6.9.1: the tag of what is not plain
    check_tag(node.mark, tag);
    leaf(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (stopped_) {
      return;
    }
    auto found = anchored_.find(anchor);
    if (found == anchored_.end()) {
      stop(mark_of(mark), "an alias inside of what it stands for");
      return;
    }
    if (awaiting_key()) {
      fault(mark_of(mark), "a key must be written out");
    }
    if (charge(mark_of(mark), cost_of(found->second))) {
      add(YamlNode(found->second));
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::Sequence, mark_of(mark), tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::Map, mark_of(mark), tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct OpenNode {
    YamlNode node;
    YAML::anchor_t anchor;
    std::optional<YamlNode> key;  // of a map: the one whose value comes next
  };

  void fault(Mark mark, std::string what) {
    if (document_.faults.size() < yaml_faults_max) {
      document_.faults.push_back({mark, std::move(what)});
    }
  }

  void stop(Mark mark, std::string what) {
    fault(mark, std::move(what));
    document_.root.reset();
    stopped_ = true;
  }

  bool charge(Mark mark, const Cost& cost) {
    cost_.nodes += cost.nodes;
    cost_.octets += cost.octets;
    if (cost_.nodes <= yaml_nodes_max && cost_.octets <= yaml_expanded_octets_max) {
      return true;
    }
    stop(mark, fmt::format("too large: over {} values or {} MiB of text, aliases expanded",
                           yaml_nodes_max, yaml_expanded_octets_max >> 20));
    return false;
  }

  void check_tag(Mark mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      fault(mark, "tags ('!…') mean nothing here");
    }
  }

  bool awaiting_key() const {
    return !open_.empty() && open_.back().node.kind == YamlNode::Kind::Map && !open_.back().key;
  }

  void leaf(YamlNode node, YAML::anchor_t anchor) {
    if (stopped_ || !charge(node.mark, cost_of(node))) {
      return;
    }
    finish(std::move(node), anchor);
  }

  void open(YamlNode::Kind kind, Mark mark, const std::string& tag, YAML::anchor_t anchor) {
    if (stopped_ || !charge(mark, {1, 0})) {
      return;
    }
    check_tag(mark, tag);
    if (open_.size() == yaml_depth_max) {
      stop(mark, fmt::format("nested deeper than {}", yaml_depth_max));
      return;
    }
    OpenNode opened{{}, anchor, {}};
    opened.node.kind = kind;
    opened.node.mark = mark;
    open_.push_back(std::move(opened));
  }

  void close() {
    if (stopped_) {
      return;
    }
    OpenNode closed = std::move(open_.back());
    open_.pop_back();
    finish(std::move(closed.node), closed.anchor);
  }

  void finish(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      if (!charge(node.mark, cost_of(node))) {
        return;
      }
      anchored_[anchor] = node;
    }
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      document_.root = std::move(node);
      return;
    }
    OpenNode& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::Sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      add_entry(parent, std::move(node));
    }
  }

  void add_entry(OpenNode& parent, YamlNode value) {
    YamlNode key = std::move(*parent.key);
    parent.key.reset();
    if (parent.node.entries.size() == yaml_entries_max) {
      stop(key.mark, fmt::format("more than {} keys in one mapping", yaml_entries_max));
    } else if (key.kind != YamlNode::Kind::Scalar) {
      fault(key.mark, "a key must be text");
    } else if (key.text == "<<" && !key.quoted) {
      fault(key.mark, "merge keys ('<<') mean nothing here");
    } else if (const YamlEntry* first = parent.node.find(key.text)) {
      fault(key.mark, fmt::format("duplicate key '{}': it is in line {} already",
                                  printable(key.text), first->key_mark.line));
    } else {
      if (value.kind == YamlNode::Kind::Null && value.text.empty()) {
        value.mark = key.mark;
      }
      parent.node.entries.push_back({std::move(key.text), key.mark, std::move(value)});
    }
  }

  std::string_view text_;
  YamlDocument& document_;
  std::vector<OpenNode> open_;
  std::map<YAML::anchor_t, YamlNode> anchored_;
  Cost cost_;
  int documents_ = 0;
  bool stopped_ = false;
};

// A `{` ends a plain scalar inside of { } and [ ], and the parser then says something about the end
// of a map: the one trap of ${NAME} that everybody falls into.
std::string_view hint_for(std::string_view text, int line) {
  for (int number = 1; number < line && !text.empty(); ++number) {
    auto end = text.find('\n');
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  text = text.substr(0, text.find('\n'));
  return text.contains("${") ? " (inside of { } and [ ], a value with ${…} must be in quotes)" : "";
}

std::optional<YamlFault> find_foreign_octet(std::string_view text) {
  auto place = [text](std::size_t at, std::string what) {
    std::string_view before = text.substr(0, at);
    auto lines = std::count(before.begin(), before.end(), '\n');
    auto start = before.rfind('\n');
    std::size_t column = at - (start == before.npos ? 0 : start + 1);
    return YamlFault{{static_cast<int>(lines) + 1, static_cast<int>(column) + 1}, std::move(what)};
  };
  if (std::size_t valid = valid_utf8_prefix(text); valid != text.size()) {
    return place(valid, "not UTF-8");
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto octet = static_cast<unsigned char>(text[at]);
    // A CR alone is the end of a line to YAML 1.2 section 5.4, and to hardly anything else.
    bool line_end = octet == '\n' || (octet == '\r' && text.substr(at + 1).starts_with('\n'));
    if ((octet < 0x20 && octet != '\t' && !line_end) || octet == 0x7f) {
      return place(at, "a control character");
    }
  }
  return std::nullopt;
}

}  // namespace

const YamlEntry* YamlNode::find(std::string_view key) const {
  auto found = std::find_if(entries.begin(), entries.end(),
                            [key](const YamlEntry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

YamlDocument parse_yaml(std::string_view text) {
  YamlDocument document;
  if (text.size() > yaml_file_octets_max) {
    document.faults.push_back({{}, fmt::format("over {} MiB", yaml_file_octets_max >> 20)});
    return document;
  }
  if (auto foreign = find_foreign_octet(text)) {
    document.faults.push_back(*std::move(foreign));
    return document;
  }
  if (text.starts_with("\xef\xbb\xbf")) {
    text.remove_prefix(3);
  }
  std::istringstream input{std::string(text)};
  TreeBuilder builder(text, document);
  try {
    YAML::Parser parser(input);
    bool more = parser.HandleNextDocument(builder);
    if (more) {
      parser.HandleNextDocument(builder);  // there must be none: the builder says so
    }
  } catch (const YAML::Exception& error) {
    document.root.reset();
    Mark mark = mark_of(error.mark);
    document.faults.push_back(
        {mark, fmt::format("not YAML: {}{}", printable(error.msg), hint_for(text, mark.line))});
  }
  if (!document.root && document.faults.empty()) {
    document.faults.push_back({{}, "empty"});
  }
  return document;
}

}  // namespace gateway
