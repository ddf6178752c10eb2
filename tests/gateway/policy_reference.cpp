// policy_reference README.md: writes the reference of all keys of a policy into it.
#include "gateway/policy_reference.h"

#include <cstdio>
#include <fstream>

#include <fmt/format.h>

#include "gateway/file_text.h"
#include "gateway/policy_file.h"

namespace {

constexpr std::size_t document_octets_max = 1024 * 1024;

int fail(std::string_view file, std::string_view why) {
  fmt::print(stderr, "policy_reference: {}: {}\n", file, why);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fail("usage", "policy_reference README.md");
  const std::string file = argv[1];
  const auto document = gateway::read_file(file, document_octets_max);
  if (!document) return fail(file, document.error());
  const auto written = gateway::with_policy_reference(
      *document, gateway::write_policy_reference(gateway::policy_shapes()));
  if (!written) return fail(file, "without the lines between which it would be");
  std::ofstream(file, std::ios::binary) << *written;
  return 0;
}
