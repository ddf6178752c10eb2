#include "gateway/yaml_reader.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace gateway;

namespace {

// What is wrong, with its place; empty: nothing.
std::string faults_of(std::string_view text) {
  std::string faults;
  for (const YamlFault& fault : parse_yaml(text).faults) {
    if (!faults.empty()) faults += '\n';
    faults += fmt::format("{}:{} {}", fault.mark.line, fault.mark.column, fault.what);
  }
  return faults;
}

YamlNode root_of(std::string_view text) {
  YamlDocument document = parse_yaml(text);
  REQUIRE(document.root);
  return *std::move(document.root);
}

}  // namespace

TEST_SUITE("YAML, read strictly") {
  TEST_CASE("keys and values know their places, both counted from 1") {
    YamlNode root = root_of("a: 1\nb:\n  - x\n  - { c: y }\n");
    CHECK(root.find("a")->key_mark == Mark{1, 1});
    CHECK(root.find("a")->value.mark == Mark{1, 4});
    const YamlNode& list = root.find("b")->value;
    CHECK(list.mark == Mark{3, 3});
    CHECK(list.items[1].find("c")->value.mark == Mark{4, 10});
  }

  TEST_CASE("a byte order mark is no part of the first line") {
    CHECK(root_of("\xef\xbb\xbf"
                  "a: ~")
              .find("a")
              ->value.text == "~");
  }

  TEST_CASE("what is quoted says so, whatever it looks like") {
    YamlNode root = root_of("a: 1\nb: \"1\"\nc: '1'\nd: |\n  1\ne: ! 1\n");
    CHECK_FALSE(root.find("a")->value.quoted);
    for (const char* key : {"b", "c", "d", "e"}) CHECK(root.find(key)->value.quoted);
  }

  TEST_CASE("a null that is written is another thing than a value left out") {
    YamlNode root = root_of("a: ~\nb: null\nc:\nnull_d: 1\ne: {f: , g: NULL}\n");
    CHECK(root.find("a")->value.text == "~");
    CHECK(root.find("b")->value.text == "null");
    CHECK(root.find("c")->value.kind == YamlNode::Kind::Null);
    CHECK(root.find("c")->value.text.empty());
    CHECK(root.find("c")->value.mark == Mark{3, 1});
    CHECK(root.find("e")->value.find("f")->value.text.empty());
    CHECK(root.find("e")->value.find("g")->value.text == "NULL");
  }

  TEST_CASE("a duplicate key is a fault at its second place, and the first value stays") {
    CHECK(faults_of("a: 1\nb: 2\na: 3\n") == "3:1 duplicate key 'a': it is in line 1 already");
    CHECK(faults_of("a: {b: 1, \"b\": 2}") == "1:11 duplicate key 'b': it is in line 1 already");
    CHECK(root_of("a: 1\na: 3\n").find("a")->value.text == "1");
  }

  TEST_CASE("aliases are expanded") {
    YamlNode root = root_of("a: &x [1, 2]\nb: *x\n");
    CHECK(root.find("b")->value.items.size() == 2);
  }

  TEST_CASE("an alias inside of what it stands for is a fault") {
    CHECK(faults_of("a: &x [1, *x]") == "1:11 an alias inside of what it stands for");
    CHECK(faults_of("a: &x {b: {c: *x}}") == "1:15 an alias inside of what it stands for");
  }

  TEST_CASE("aliases of aliases end at the bound of values, quickly") {
    std::string text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
    for (char name = 'b'; name < 'z'; ++name) {
      std::string aliases = fmt::format("*{0}, *{0}, *{0}, *{0}, *{0}, *{0}", char(name - 1));
      text += fmt::format("{0}: &{0} [{1}]\n", name, aliases);
    }
    CHECK(faults_of(text).ends_with(
        "too large: over 100000 values or 4 MiB of text, aliases expanded"));
    CHECK_FALSE(parse_yaml(text).root);
  }

  TEST_CASE("aliases of one long text end at the bound of octets") {
    std::string text = "a: &a " + std::string(100'000, 'x') + "\nb: [";
    for (int i = 0; i < 100; ++i) text += "*a, ";
    CHECK(faults_of(text + "*a]\n").contains("too large"));
  }

  TEST_CASE("nesting ends at its bound") {
    auto nested = [](std::size_t depth) {
      return std::string(depth, '[') + std::string(depth, ']');
    };
    CHECK(faults_of(nested(yaml_depth_max)) == "");
    CHECK(faults_of(nested(yaml_depth_max + 1)) == "1:33 nested deeper than 32");
    CHECK(faults_of(nested(20'000)) != "");
    CHECK(faults_of(std::string(3'000, '-') + "x") == "");  // one scalar
    std::string block;
    for (int i = 0; i < 400; ++i) block += std::string(i, ' ') + "a:\n";
    CHECK(faults_of(block) != "");
  }

  TEST_CASE("a mapping ends at the bound of its keys") {
    std::string text;
    for (std::size_t i = 0; i < yaml_entries_max; ++i) text += fmt::format("k{}: 1\n", i);
    CHECK(faults_of(text) == "");
    CHECK(faults_of(text + "one_more: 1\n") == "2049:1 more than 2048 keys in one mapping");
  }

  TEST_CASE("a file ends at its bound") {
    std::string text = "a: 1\n#" + std::string(yaml_file_octets_max - 6, 'x');
    CHECK(faults_of(text) == "");
    CHECK(faults_of(text + "x") == "0:0 over 1 MiB");
  }

  TEST_CASE("there is one document") {
    CHECK(faults_of("---\na: 1\n...\n") == "");
    CHECK(faults_of("a: 1\n---\nb: 2\n") == "2:1 a second document: a policy is one");
    CHECK(faults_of("a: 1\n---\n") == "2:1 a second document: a policy is one");
    CHECK(faults_of("") == "0:0 empty");
    CHECK(faults_of("# a comment\n") == "0:0 empty");
  }

  TEST_CASE("keys are text, written out") {
    CHECK(faults_of("? [a]\n: 1\n") == "1:3 a key must be text");
    CHECK(faults_of("~: 1\n") == "1:1 a key must be text");
    CHECK(faults_of("a: &x b\n*x : 1\n") == "2:1 a key must be written out");
    CHECK(faults_of("a: {<<: {b: 1}}\n") == "1:5 merge keys ('<<') mean nothing here");
    CHECK(faults_of("a: {\"<<\": {b: 1}}\n") == "");
  }

  TEST_CASE("tags are faults") {
    CHECK(faults_of("a: !!int 1") == "1:4 tags ('!…') mean nothing here");
    CHECK(faults_of("a: !foo [1]") == "1:4 tags ('!…') mean nothing here");
    CHECK(faults_of("a: !!map {}") == "1:4 tags ('!…') mean nothing here");
  }

  TEST_CASE("what is not UTF-8 or is a control character has its place") {
    CHECK(faults_of("a: 1\nb: \xff") == "2:4 not UTF-8");
    CHECK(faults_of("a: \xed\xa0\x80") == "1:4 not UTF-8");
    CHECK(faults_of(std::string_view("a: \0", 4)) == "1:4 a control character");
    CHECK(faults_of("a: b\x1b") == "1:5 a control character");
    CHECK(faults_of("a: b\rc: d") == "1:5 a control character");
    CHECK(faults_of("a: b\r\nc: d # é\r\n") == "");
  }

  TEST_CASE("what is not YAML has its place, and the usual trap its advice") {
    CHECK(faults_of("a: [1\n") == "2:1 not YAML: end of sequence flow not found");
    CHECK(faults_of("a: 1\n\tb: 2\n") == "2:1 not YAML: illegal tab when looking for indentation");
    CHECK(faults_of("a: 1\nb: { c: ${NAME} }\n") ==
          "2:10 not YAML: end of map flow not found (inside of { } and [ ], a value with ${…} must "
          "be in quotes)");
  }

  TEST_CASE("faults end at their bound") {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "a: 1\n";
    CHECK(parse_yaml(text).faults.size() == yaml_faults_max);
  }
}
