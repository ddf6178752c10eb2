#include "gateway/policy_reference.h"

#include <doctest/doctest.h>

#include "gateway/file_text.h"
#include "gateway/policy_file.h"

namespace gateway {

namespace {

constexpr std::size_t readme_octets_max = 1024 * 1024;

KeyShape shape(std::string name, std::string type) {
  KeyShape made;
  made.name = std::move(name);
  made.type = std::move(type);
  return made;
}

// "path: what is missing" of each key that the reference would say too little of.
std::vector<std::string> say_too_little(const std::vector<KeyShape>& keys,
                                        const std::string& within = "") {
  std::vector<std::string> found;
  for (const auto& key : keys) {
    const auto path = within + key.name;
    if (key.type.empty()) found.push_back(path + ": its type");
    if (key.about.empty()) found.push_back(path + ": what it is");
    if (key.type.starts_with("a mapping of names") != (key.holds == KeyShape::Holds::Names)) {
      found.push_back(path + ": whether its keys are names");
    }
    const bool has_line_end = (key.type + key.left_out + key.about).contains('\n');
    const bool has_column_end = (key.type + key.left_out + key.about).contains('|');
    if (has_line_end || has_column_end) found.push_back(path + ": in one cell");
    const auto inner = say_too_little(key.inner, path + ".");
    found.insert(found.end(), inner.begin(), inner.end());
  }
  return found;
}

}  // namespace

TEST_SUITE("the reference of all keys") {
  TEST_CASE(
      "in the README is what the tables of keys say: build/tests/gateway/policy_reference "
      "README.md") {
    const auto readme = read_file(GATEHOUSE_README, readme_octets_max);
    REQUIRE(readme);
    const auto written = with_policy_reference(*readme, write_policy_reference(policy_shapes()));
    REQUIRE(written);
    CHECK(*written == *readme);
  }

  TEST_CASE("says of every key what it is") {
    CHECK(say_too_little(policy_shapes()) == std::vector<std::string>());
  }

  TEST_CASE("has a row for each key, with the path to it, its type and what is true without it") {
    auto inner = shape("name", "text");
    inner.mandatory = true;
    inner.about = "who";
    auto list = shape("people", "a list");
    list.holds = KeyShape::Holds::List;
    list.left_out = "nobody";
    list.inner = {inner};
    auto names = shape("groups", "a mapping of names");
    names.holds = KeyShape::Holds::Names;
    names.inner = {list};
    auto word = shape("level", "'low' or a claim's name, not 'high'");
    word.otherwise = "low";
    CHECK(write_policy_reference({names, word}) ==
          "| key | type | left out | what it is |\n"
          "| --- | --- | --- | --- |\n"
          "| `groups` | a mapping of names | none |  |\n"
          "| `groups.NAME.people` | a list | nobody |  |\n"
          "| `groups.NAME.people[].name` | text | mandatory | who |\n"
          "| `level` | `low` or a claim's name, not `high` | `low` |  |\n");
  }

  TEST_CASE("takes the place of the one before, between two lines of a document") {
    const std::string begin(policy_reference_begin);
    const std::string end(policy_reference_end);
    CHECK(with_policy_reference("a\n" + begin + "old\n" + end + "b\n", "new\n") ==
          "a\n" + begin + "\nnew\n\n" + end + "b\n");
    CHECK(with_policy_reference("a\n" + begin + "old\n", "new\n") == std::nullopt);
    CHECK(with_policy_reference(end + begin, "new\n") == std::nullopt);
  }
}

}  // namespace gateway
