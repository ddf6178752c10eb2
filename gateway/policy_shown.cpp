#include "gateway/policy_shown.h"

#include <utility>

#include "auth/timestamp.h"
#include "gateway/json_text.h"
#include "gateway/plain_scalar.h"
#include "gateway/policy_values.h"
#include "proxy/address.h"

namespace gateway {
namespace {

bool reads_as_json(const YamlNode& node, const std::string& text) {
  if (node.quoted) return false;
  const auto plain = classify(text);
  return plain == Plain::Bool || plain == Plain::Integer || plain == Plain::Real;
}

void append_scalar(std::string& json, const YamlNode& node, const ShownScalars& shown) {
  const auto instead = shown.find(node.mark);
  const auto& text = instead == shown.end() ? node.text : instead->second;
  if (reads_as_json(node, text)) {
    json += text;
  } else {
    append_json_string(json, text);
  }
}

// The reader bounds how deep it goes and how long it becomes.
void append_node(std::string& json, const YamlNode& node, const ShownScalars& shown) {
  bool first = true;
  const auto separate = [&] {
    if (!std::exchange(first, false)) json += ',';
  };
  switch (node.kind) {
    case YamlNode::Kind::Null:
      json += "null";
      return;
    case YamlNode::Kind::Scalar:
      return append_scalar(json, node, shown);
    case YamlNode::Kind::Sequence:
      json += '[';
      for (const auto& item : node.items) {
        separate();
        append_node(json, item, shown);
      }
      json += ']';
      return;
    case YamlNode::Kind::Map:
      json += '{';
      for (const auto& entry : node.entries) {
        separate();
        append_json_string(json, entry.key);
        json += ':';
        append_node(json, entry.value, shown);
      }
      json += '}';
      return;
  }
}

}  // namespace

bool no_secret(std::string_view value) {
  return value == "true" || value == "false" || value == "auto" || parse_number(value) ||
         parse_duration(value) || parse_size(value) || parse_rate(value) ||
         parse_octet_rate(value) || auth::parse_timestamp(value) ||
         proxy::SocketAddress::parse(value) || proxy::AddressBlock::parse(value);
}

std::string shown_policy(const YamlNode& root, const ShownScalars& shown) {
  std::string json;
  append_node(json, root, shown);
  return json;
}

}  // namespace gateway
