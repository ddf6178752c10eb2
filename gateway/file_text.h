// Reading a whole file of bounded size, at start-up and in commands only: it blocks.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

namespace gateway {

// The error is what the system says, or that it is no file, or too large.
std::expected<std::string, std::string> read_file(const std::string& path, std::size_t octets_max);

// The same of standard input: by its descriptor, since a socket cannot be opened by a path.
std::expected<std::string, std::string> read_standard_input(std::size_t octets_max);

}  // namespace gateway
