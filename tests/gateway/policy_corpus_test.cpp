// Every policy of tests/gateway/policies: what check says of it stands behind "#! " at its end.

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/policy_file.h"

using namespace gateway;

namespace {

const std::filesystem::path corpus = GATEHOUSE_TEST_POLICIES;

std::optional<std::string> environment(const std::string& name) {
  static const std::map<std::string, std::string> variables = {
      {"ADMIN_TOKEN", "x"}, {"JWT_SECRET", "01234567890123456789012345678901"},
      {"PORT", "8080"},     {"SHORT_SECRET", "short"},
      {"TEXT", "text"},     {"TWICE", "${PORT}"},
  };
  auto found = variables.find(name);
  return found == variables.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::filesystem::path> policies_in(const char* folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(corpus / folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  return files;
}

std::vector<std::string> expected_of(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  std::ifstream input(file);
  for (std::string line; std::getline(input, line);) {
    if (line.starts_with("#! ")) lines.push_back(line.substr(3));
  }
  return lines;
}

// Without where the corpus lies on this machine.
std::vector<std::string> said(const std::vector<PolicyError>& errors,
                              const std::filesystem::path& file) {
  std::vector<std::string> lines;
  for (const PolicyError& error : errors) {
    std::string text = error.to_string();
    const std::string name = file.string() + ":";
    REQUIRE(text.starts_with(name));
    text.erase(0, text[name.size()] == ' ' ? name.size() + 1 : name.size());
    const std::string folder = file.parent_path().string() + "/";
    if (auto at = text.find(folder); at != text.npos) text.erase(at, folder.size());
    lines.push_back(std::move(text));
  }
  return lines;
}

}  // namespace

TEST_SUITE("policies of the corpus") {
  TEST_CASE("a policy that is wrong is refused with every fault and its place") {
    auto files = policies_in("wrong");
    CHECK(files.size() >= 20);
    for (const auto& file : files) {
      CAPTURE(file.filename().string());
      auto loaded = load_policy(file.string(), environment);
      REQUIRE_FALSE(loaded);
      CHECK(said(loaded.error(), file) == expected_of(file));
    }
  }

  TEST_CASE("a policy that is right is taken, with the warnings that it deserves") {
    auto files = policies_in("good");
    CHECK(files.size() >= 2);
    for (const auto& file : files) {
      CAPTURE(file.filename().string());
      auto loaded = load_policy(file.string(), environment);
      REQUIRE(loaded);
      CHECK(said(loaded->warnings, file) == expected_of(file));
    }
  }
}
